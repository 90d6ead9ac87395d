# Joins the components into the library that people link, and installs it.
#
#   numaheap::shared    libnumaheap.so, what find_package() gives by default
#   numaheap::static    libnumaheap.a
#   numaheap::numaheap  the shared one, or the static one with -DNUMAHEAP_USE_STATIC=ON
#
# Every component brings its headers as a file set, so that the include roots of the build become one include root
# after the installation. Global properties it reads: NUMAHEAP_COMPONENTS (numaheap_component() fills it) and
# NUMAHEAP_PRIVATE_JEMALLOC (the object file of private_jemalloc()).
include_guard()
include(CMakePackageConfigHelpers)

option(NUMAHEAP_USE_STATIC "numaheap::numaheap is the static library" OFF)

# The version stands in numaheap.h too, as programs compare it at run time with what they were built against.
file(READ ${PROJECT_SOURCE_DIR}/alloc/include/numaheap.h numaheap_h)
string(REGEX REPLACE ".*#define NH_VERSION_MAJOR ([0-9]+).*#define NH_VERSION_MINOR ([0-9]+).*#define NH_VERSION_PATCH ([0-9]+).*"
  "\\1.\\2.\\3" numaheap_h_version "${numaheap_h}")
if(NOT numaheap_h_version STREQUAL PROJECT_VERSION)
  message(FATAL_ERROR "alloc/include/numaheap.h says version ${numaheap_h_version} (NH_VERSION_*) and project() says ${PROJECT_VERSION}; they must agree.")
endif()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/alloc/include/numaheap.h)

get_property(numaheap_components GLOBAL PROPERTY NUMAHEAP_COMPONENTS)
get_property(numaheap_jemalloc GLOBAL PROPERTY NUMAHEAP_PRIVATE_JEMALLOC)
set_source_files_properties(${numaheap_jemalloc} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
set(numaheap_objects ${numaheap_jemalloc})
foreach(component IN LISTS numaheap_components)
  list(APPEND numaheap_objects $<TARGET_OBJECTS:numaheap_${component}>)
endforeach()

# What the components are linked with beyond libc: hwloc by the topology, libpfm4 (no pkg-config) by perf.
find_package(PkgConfig REQUIRED)
set(numaheap_pkg_config hwloc)
foreach(module IN LISTS numaheap_pkg_config)
  pkg_check_modules(NUMAHEAP_${module} REQUIRED IMPORTED_TARGET ${module})
  list(APPEND numaheap_libraries PkgConfig::NUMAHEAP_${module})
endforeach()
list(APPEND numaheap_libraries pfm Threads::Threads ${CMAKE_DL_LIBS} m)

# Every component's headers as a file set of the target: one include root each now, all in one after the installation.
function(numaheap_add_headers target)
  foreach(component IN LISTS numaheap_components)
    get_target_property(roots numaheap_${component} HEADER_DIRS)
    get_target_property(headers numaheap_${component} HEADER_SET)
    if(headers)
      target_sources(${target} PUBLIC FILE_SET ${component} TYPE HEADERS BASE_DIRS ${roots} FILES ${headers})
    endif()
  endforeach()
endfunction()

# A program that takes a sanitized library is linked with the sanitizer too.
set(numaheap_sanitize_flag "")
if(NUMAHEAP_SANITIZE)
  set(numaheap_sanitize_flag -fsanitize=${NUMAHEAP_SANITIZE})
endif()

foreach(kind IN ITEMS shared static)
  string(TOUPPER ${kind} type)
  add_library(numaheap_${kind} ${type} ${numaheap_objects})
  add_library(numaheap::${kind} ALIAS numaheap_${kind})
  add_dependencies(numaheap_${kind} numaheap_private_jemalloc)
  numaheap_add_headers(numaheap_${kind})
  target_compile_features(numaheap_${kind} INTERFACE cxx_std_20)
  target_link_libraries(numaheap_${kind} PUBLIC $<BUILD_INTERFACE:numaheap_sanitizers>)
  target_link_options(numaheap_${kind} INTERFACE $<INSTALL_INTERFACE:${numaheap_sanitize_flag}>)
  set_target_properties(numaheap_${kind} PROPERTIES OUTPUT_NAME numaheap EXPORT_NAME ${kind} LINKER_LANGUAGE CXX
    ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
    VERIFY_INTERFACE_HEADER_SETS OFF)  # each component verifies its own, against what it may include
endforeach()
if(NUMAHEAP_USE_STATIC)
  add_library(numaheap::numaheap ALIAS numaheap_static)
else()
  add_library(numaheap::numaheap ALIAS numaheap_shared)
endif()

# The objects hide what is not NH_API, but jemalloc's and those of inlined standard templates: the version script does.
# nodelete: thread-exit and fork handlers, and blocks still in use, must outlive a dlclose().
set(numaheap_version_script ${PROJECT_SOURCE_DIR}/tools/cmake/numaheap.map)
set_target_properties(numaheap_shared PROPERTIES SOVERSION 0 LINK_DEPENDS ${numaheap_version_script})
target_link_options(numaheap_shared PRIVATE LINKER:--version-script=${numaheap_version_script} LINKER:-z,nodelete
  LINKER:--gc-sections LINKER:--as-needed)
if(NOT NUMAHEAP_SANITIZE)  # whose functions come with the program
  target_link_options(numaheap_shared PRIVATE LINKER:--no-undefined)
endif()
target_link_libraries(numaheap_shared PRIVATE ${numaheap_libraries})
target_link_libraries(numaheap_static INTERFACE ${numaheap_libraries} $<INSTALL_INTERFACE:stdc++>)  # in C projects too

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME library)  # `cmake --install BUILD --component library` needs no tools
set(numaheap_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/numaheap)
set(numaheap_file_sets "")
foreach(component IN LISTS numaheap_components)
  get_target_property(headers numaheap_${component} HEADER_SET)
  if(headers)
    list(APPEND numaheap_file_sets FILE_SET ${component} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  endif()
endforeach()
foreach(kind IN ITEMS shared static)
  install(TARGETS numaheap_${kind} EXPORT numaheap_${kind}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ${numaheap_file_sets} INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT numaheap_${kind} FILE numaheap-${kind}.cmake NAMESPACE numaheap:: DESTINATION ${numaheap_package_dir})
endforeach()

set(numaheap_config_dir ${PROJECT_BINARY_DIR}/package)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/numaheapConfig.cmake.in ${numaheap_config_dir}/numaheapConfig.cmake
  INSTALL_DESTINATION ${numaheap_package_dir})
write_basic_package_version_file(${numaheap_config_dir}/numaheapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${numaheap_config_dir}/numaheapConfig.cmake ${numaheap_config_dir}/numaheapConfigVersion.cmake
  DESTINATION ${numaheap_package_dir})

set(numaheap_pc_private "")
foreach(module IN LISTS numaheap_pkg_config)
  list(JOIN NUMAHEAP_${module}_LDFLAGS " " flags)
  string(APPEND numaheap_pc_private " ${flags}")
endforeach()
set(numaheap_pc_sanitize $<IF:$<BOOL:${NUMAHEAP_SANITIZE}>,-fsanitize=${NUMAHEAP_SANITIZE},>)
file(RELATIVE_PATH numaheap_pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" numaheap_pc_prefix "${numaheap_pc_prefix}")
file(RELATIVE_PATH numaheap_pc_libdir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH numaheap_pc_includedir ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
configure_file(${CMAKE_CURRENT_LIST_DIR}/numaheap.pc.in ${numaheap_config_dir}/numaheap.pc.in @ONLY)
file(GENERATE OUTPUT ${numaheap_config_dir}/numaheap.pc INPUT ${numaheap_config_dir}/numaheap.pc.in)
install(FILES ${numaheap_config_dir}/numaheap.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
unset(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME)
