# numaheap_component(NAME SOURCES ... HEADERS ... NEEDS ... [LIBRARIES ...])
# One folder, one object library, one include root. NEEDS names the folders whose headers this one may include, and
# nothing else is on its include path, so that a forbidden include does not compile.
include_guard()

function(numaheap_component name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;NEEDS;LIBRARIES" ${ARGN})
  set(target numaheap_${name})
  add_library(${target} OBJECT ${arg_SOURCES})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${arg_HEADERS})
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE ${NUMAHEAP_WARNINGS} -fno-exceptions -fno-rtti -fno-plt
    -fno-semantic-interposition -ffunction-sections)
  foreach(need IN LISTS arg_NEEDS)
    target_link_libraries(${target} PUBLIC numaheap_${need})
  endforeach()
  target_link_libraries(${target} PUBLIC numaheap_sanitizers PRIVATE ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY NUMAHEAP_COMPONENTS ${name})
endfunction()
