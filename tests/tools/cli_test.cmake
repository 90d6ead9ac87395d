# The command line. It is given a preload object that does nothing, so that these tests need no heap.
find_package(nlohmann_json REQUIRED)
add_library(cli_test_object MODULE cli_test_object.c)
foreach(test cli_test cli_refusal_test cli_measure_test)
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

# A process to look at: it links the library, so that it is there under sanitizers, too.
add_executable(published_process published_process.cpp)
target_link_libraries(published_process PRIVATE numaheap::static)
numaheap_test(tools_cli_view_test SOURCES cli_view_test.cpp child_process.cpp
  LIBRARIES nlohmann_json::nlohmann_json)
target_compile_features(tools_cli_view_test PRIVATE cxx_std_20)
target_compile_definitions(tools_cli_view_test PRIVATE NUMAHEAP_COMMAND="$<TARGET_FILE:numaheap_cli>"
  PUBLISHED_PROCESS="$<TARGET_FILE:published_process>")
add_dependencies(tools_cli_view_test numaheap_cli published_process)

numaheap_test(tools_cli_export_test SOURCES cli_export_test.cpp child_process.cpp http_client.cpp
  LIBRARIES nlohmann_json::nlohmann_json)
target_compile_features(tools_cli_export_test PRIVATE cxx_std_20)
target_compile_definitions(tools_cli_export_test PRIVATE NUMAHEAP_COMMAND="$<TARGET_FILE:numaheap_cli>"
  PUBLISHED_PROCESS="$<TARGET_FILE:published_process>")
add_dependencies(tools_cli_export_test numaheap_cli published_process)
# civetweb, which is Debian's as it is, has its threads write dates through the C library's one buffer.
set_property(TEST tools_cli_export_test APPEND PROPERTY ENVIRONMENT
  "TSAN_OPTIONS=halt_on_error=1:detect_deadlocks=0:ignore_noninstrumented_modules=1")

# With a malloc of its own, a sanitizer's object has no probes that this program could meet.
if(TARGET numaheap_preload)
  numaheap_test(tools_probes_test SOURCES probes_test.cpp child_process.cpp)
  target_compile_definitions(tools_probes_test PRIVATE PROBED_PROGRAM="$<TARGET_FILE:published_process>"
    PROBED_OBJECTS="$<TARGET_FILE:numaheap_shared>","$<TARGET_FILE:numaheap_preload>")
  add_dependencies(tools_probes_test published_process numaheap_shared numaheap_preload)
endif()
