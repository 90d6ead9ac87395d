/** \file
 *  The heap's books as text for people: what a server of the Redis family answers to MEMORY MALLOC-STATS, and what
 *  malloc_stats_print() prints under the preload object.
 *
 *  A line for each placement, the sums over all, then each arena with its bins. Sizes are in bytes. The text is for
 *  reading and may change; figures for programs are in numaheap/statistics.hpp and numaheap/stats/.
 */
#ifndef NUMAHEAP_MALLOC_STATS_H
#define NUMAHEAP_MALLOC_STATS_H

#include "numaheap/base/api.h"

NH_BEGIN_DECLS

/** Reads the books anew and hands the text over in pieces. Any thread; takes the arenas' locks one by one (tens of
 *  microseconds and up) and holds none while `write` runs, which may allocate.
 *  \param write    gets each piece, ended by a zero byte; not NULL.
 *  \param context  handed to `write`.
 *  \param options  letters that leave parts out, as jemalloc's: g (what is fixed), m (the sums), a (each arena),
 *                  b (bins); others are ignored. NULL leaves out nothing. */
NH_API void nh_malloc_stats_print(void (*write)(void* context, const char* text), void* context,
                                  const char* options) NH_NOEXCEPT;

NH_END_DECLS

#endif
