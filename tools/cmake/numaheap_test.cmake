# numaheap_test(NAME SOURCES ... [LIBRARIES ...] [LABELS ...] [TIMEOUT seconds])
# A gtest program linked with the static library, run as one ctest entry. Tests see every folder's private headers.
# Label "numa" marks what also runs in the multi-node virtual machines.
include_guard()

function(numaheap_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(${name} PRIVATE ${NUMAHEAP_WARNINGS})
  if(NOT arg_LIBRARIES)
    set(arg_LIBRARIES numaheap::static)
  endif()
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} GTest::gtest GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  # ThreadSanitizer's deadlock detector gives up a thread with more than 64 locks; jemalloc takes all of its own at fork.
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "TSAN_OPTIONS=halt_on_error=1:detect_deadlocks=0;ASAN_OPTIONS=detect_leaks=1")
endfunction()
