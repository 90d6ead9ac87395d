# cmake -D OBJECT=in.o -D OUTPUT=out.o -D OBJCOPY=objcopy -P shrink_jemalloc_tls.cmake
#
# Cuts the automatic caches off the end of jemalloc's thread-local block: 1.7 KB of 2.6 KB that nothing touches, since
# it is booted with tcache:false. What is left fits into the room that glibc keeps for libraries that come by dlopen(3),
# so that a plugin or a Python module can be linked with us. Block and room are static: where this goes wrong, the next
# variable in the block would be overwritten, which is ours, and no thread would get far.
#
# The layout is that of 5.3.0 without debug checks: the thread's state at 0x330, four counters, then from 0x358 on the
# caches (a pointer and 73 bins) and what only debug builds use. Another layout is left as it is.
set(whole 2632)
set(kept 856)
set(state 816)

set(dump ${OUTPUT}.tdata)
execute_process(COMMAND ${OBJCOPY} -O binary --only-section=.tdata ${OBJECT} ${dump} COMMAND_ERROR_IS_FATAL ANY)
file(SIZE ${dump} size)
math(EXPR counters "${state} + 8")
file(READ ${dump} tail OFFSET ${counters} HEX)
file(READ ${dump} state_byte OFFSET ${state} LIMIT 1 HEX)
if(NOT size EQUAL ${whole} OR NOT tail MATCHES "^0*$" OR state_byte STREQUAL "00")
  message(STATUS "jemalloc's thread-local block (${size} bytes) is not the one of 5.3.0 and stays whole: libnumaheap.so will need GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096 to be opened by dlopen(3)")
  file(COPY_FILE ${OBJECT} ${OUTPUT})
  return()
endif()
execute_process(COMMAND head -c ${kept} ${dump} OUTPUT_FILE ${dump}.kept COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${OBJCOPY} --update-section .tdata=${dump}.kept ${OBJECT} ${OUTPUT} COMMAND_ERROR_IS_FATAL ANY)
