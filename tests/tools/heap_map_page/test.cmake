# The heap map page in a browser: `tools/test --all` runs it (label "browser"), as chromium is too big for every run.
find_program(NUMAHEAP_NODE node)
mark_as_advanced(NUMAHEAP_NODE)
if(NUMAHEAP_NODE)
  add_executable(fragmented_process heap_map_page/fragmented_process.cpp)
  target_link_libraries(fragmented_process PRIVATE numaheap::static)
  add_test(NAME heap_map_page COMMAND ${NUMAHEAP_NODE} ${CMAKE_CURRENT_SOURCE_DIR}/heap_map_page/test.mjs
    $<TARGET_FILE:numaheap_cli> $<TARGET_FILE:fragmented_process> ${PROJECT_BINARY_DIR}/browser)
  set_tests_properties(heap_map_page PROPERTIES LABELS browser TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
