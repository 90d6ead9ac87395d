# private_jemalloc(OUTPUT_VARIABLE): one relocatable object that holds all of jemalloc under names of our own.
#
# Linking libjemalloc would replace the malloc of whoever links us. So its position-independent archive is unpacked,
# its public symbols are renamed nh_je_*, its C++ operators are left out, and everything is linked into one object
# whose other symbols are local (the 700 je_* would collide with a static consumer's own jemalloc). secure_getenv and
# readlink are redirected, so that MALLOC_CONF and /etc/malloc.conf, which are meant for the host's jemalloc, do not
# reach ours. Its constructor is dropped, since we boot it after setting its options.
include_guard()

set(NUMAHEAP_JEMALLOC_KEEP mallocx rallocx xallocx sallocx dallocx sdallocx nallocx mallctl mallctlnametomib
  mallctlbymib malloc_stats_print malloc_message malloc_conf)
set(NUMAHEAP_JEMALLOC_PUBLIC ${NUMAHEAP_JEMALLOC_KEEP} malloc calloc realloc free posix_memalign aligned_alloc memalign
  valloc malloc_usable_size malloc_conf_2_conf_harder)

function(private_jemalloc output)
  if(NUMAHEAP_JEMALLOC)
    set(archive ${NUMAHEAP_JEMALLOC})
  else()
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(JEMALLOC jemalloc)
    find_file(archive libjemalloc_pic.a HINTS ${JEMALLOC_LIBDIR}
      PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} /usr/lib64 /usr/lib NO_CACHE)
  endif()
  if(NOT EXISTS "${archive}")
    message(FATAL_ERROR "No libjemalloc_pic.a found. Install libjemalloc-dev, or set NUMAHEAP_JEMALLOC to a position-independent libjemalloc.a (5.3 or later, no symbol prefix).")
  endif()
  find_program(NUMAHEAP_OBJCOPY objcopy REQUIRED)

  set(dir ${CMAKE_CURRENT_BINARY_DIR}/jemalloc)
  set(renames "")
  foreach(name IN LISTS NUMAHEAP_JEMALLOC_PUBLIC)
    string(APPEND renames "${name} nh_je_${name}\n")
  endforeach()
  string(APPEND renames "secure_getenv nh_je_secure_getenv\nreadlink nh_je_readlink\nje_opt_cache_oblivious nh_je_opt_cache_oblivious\n")
  file(WRITE ${dir}/renames "${renames}")
  set(keep "nh_je_opt_cache_oblivious\n")
  foreach(name IN LISTS NUMAHEAP_JEMALLOC_KEEP)
    string(APPEND keep "nh_je_${name}\n")
  endforeach()
  file(WRITE ${dir}/keep "${keep}")

  set(object ${dir}/private_jemalloc.o)
  set(shrink_tls ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/shrink_jemalloc_tls.cmake)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${dir}/members
    COMMAND ${CMAKE_COMMAND} -E make_directory ${dir}/members
    COMMAND ${CMAKE_COMMAND} -E chdir ${dir}/members ${CMAKE_AR} x ${archive}
    COMMAND sh -c "rm -f ${dir}/members/jemalloc_cpp*.o && ${CMAKE_LINKER} -r -o ${dir}/merged.o ${dir}/members/*.o"
    COMMAND ${NUMAHEAP_OBJCOPY} --redefine-syms=${dir}/renames --remove-section=.init_array
            --remove-section=.rela.init_array ${dir}/merged.o ${dir}/renamed.o
    COMMAND ${NUMAHEAP_OBJCOPY} --keep-global-symbols=${dir}/keep ${dir}/renamed.o ${dir}/whole.o
    COMMAND ${CMAKE_COMMAND} -D OBJECT=${dir}/whole.o -D OUTPUT=${object} -D OBJCOPY=${NUMAHEAP_OBJCOPY} -P ${shrink_tls}
    DEPENDS ${archive} ${dir}/renames ${dir}/keep ${shrink_tls} VERBATIM
    COMMENT "Making jemalloc private")
  add_custom_target(numaheap_private_jemalloc DEPENDS ${object})
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set(${output} ${object} PARENT_SCOPE)
endfunction()
