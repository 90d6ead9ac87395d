# The command line. It is given a preload object that does nothing, so that these tests need no heap.
find_package(nlohmann_json REQUIRED)
add_library(cli_test_object MODULE cli_test_object.c)
foreach(test cli_test cli_refusal_test)
  numaheap_test(tools_${test} SOURCES ${test}.cpp child_process.cpp LIBRARIES nlohmann_json::nlohmann_json)
  target_compile_features(tools_${test} PRIVATE cxx_std_20)
  target_compile_definitions(tools_${test} PRIVATE
    NUMAHEAP_COMMAND="$<TARGET_FILE:numaheap_cli>"
    NUMAHEAP_VERSION="${PROJECT_VERSION}"
    NUMAHEAP_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/numa/data"
    NUMAHEAP_TEST_OBJECT="$<TARGET_FILE:cli_test_object>"
    $<$<TARGET_EXISTS:numaheap_preload>:NUMAHEAP_HAS_PRELOAD_OBJECT>)
  add_dependencies(tools_${test} numaheap_cli cli_test_object)
  if(TARGET numaheap_preload)
    add_dependencies(tools_${test} numaheap_preload)
  endif()
endforeach()
