/** \file
 *  Redis' zmalloc over the heap: the names and meanings that servers of the Redis family are written against.
 *
 *  A server uses it by changing lines, not code: its own zmalloc.h becomes `#include <numaheap/zmalloc.h>`, its
 *  sdsalloc.h `#include <numaheap/sdsalloc.h>`, its zmalloc.o leaves the link, and -lnumaheap joins it. Do not define
 *  USE_JEMALLOC, which makes other files of the server call jemalloc by itself.
 *
 *  The same name has had several signatures. Without a macro this header is that of Redis 7.0 and 7.2; define one of
 *  these before the include for another:
 *
 *  | macro                       | server            | differences                                                |
 *  | --------------------------- | ----------------- | ---------------------------------------------------------- |
 *  | NUMAHEAP_ZMALLOC_REDIS_74   | Redis 7.4, 8.0    | zmalloc_get_allocator_info(refresh, 6 figures)             |
 *  | NUMAHEAP_ZMALLOC_REDIS_2026 | Redis of 2026     | the same; z[try]realloc_usable() also give the old size    |
 *  | NUMAHEAP_ZMALLOC_VALKEY_80  | Valkey 8.0        | zmalloc_get_allocator_info(6 figures)                      |
 *  | NUMAHEAP_ZMALLOC_VALKEY_81  | Valkey 8.1 to 9.1 | the same with 5 figures; zmadvise_dontneed(block, hint)    |
 *
 *  Everything else is declared for all of them. HAVE_DEFRAG is not defined: the server's own active defrag asks
 *  jemalloc for hints.
 *
 *  Where it differs from Redis, on purpose
 *  - ztryrealloc(), zrealloc_with_flags() and their kin keep the old block when they fail. In Redis a size of SIZE_MAX/2
 *    or more frees it, and any other failure does not.
 *  - zcalloc_num(count, 0) is served as zcalloc(0). In Redis it calls the OOM handler with SIZE_MAX.
 *  - Before the OOM handler is called, the heap's reclaim hook runs (numaheap/limits.hpp); the try forms call neither.
 *  - zmalloc_get_allocator_info_by_arena() fills in `resident`, which is always 0 in Redis.
 *  - No function carries alloc_size: servers use a block's usable size, which _FORTIFY_SOURCE would take for an overflow.
 *
 *  Threads: any function from any thread; a block is freed by any thread. Out of memory: the plain forms call the OOM
 *  handler, and return NULL if that returns; the try forms return NULL. A size of SIZE_MAX/2 or more is out of memory.
 *  The symbols are the plain names but for zcalloc, which is nh_zcalloc: a static zlib brings a zcalloc of its own.
 */
#ifndef NUMAHEAP_ZMALLOC_H
#define NUMAHEAP_ZMALLOC_H

#include <stddef.h>
#include <time.h>

#include "numaheap/base/api.h"

#if defined(NUMAHEAP_ZMALLOC_REDIS_74) + defined(NUMAHEAP_ZMALLOC_REDIS_2026) +     \
        defined(NUMAHEAP_ZMALLOC_VALKEY_80) + defined(NUMAHEAP_ZMALLOC_VALKEY_81) > \
    1
#error \
    "numaheap/zmalloc.h: define at most one of the NUMAHEAP_ZMALLOC_REDIS_* and NUMAHEAP_ZMALLOC_VALKEY_* macros"
#endif

/** What INFO shows as mem_allocator. */
#define ZMALLOC_LIB "numaheap-0.1.0"
/** zmalloc_size() costs no bytes in front of each block. */
#define HAVE_MALLOC_SIZE 1

NH_BEGIN_DECLS

/* ---- Allocate ---- */

NH_API void* zmalloc(size_t size) NH_NOEXCEPT;
NH_API void* zcalloc(size_t size) NH_NOEXCEPT __asm__("nh_zcalloc");
NH_API void* zcalloc_num(size_t count, size_t size) NH_NOEXCEPT;
NH_API void* ztrymalloc(size_t size) NH_NOEXCEPT;
NH_API void* ztrycalloc(size_t size) NH_NOEXCEPT;

/* The usable forms also say how many bytes the block has, all of them the caller's; 0 on failure. `usable` may be NULL. */
NH_API void* zmalloc_usable(size_t size, size_t* usable) NH_NOEXCEPT;
NH_API void* zcalloc_usable(size_t size, size_t* usable) NH_NOEXCEPT;
NH_API void* ztrymalloc_usable(size_t size, size_t* usable) NH_NOEXCEPT;
NH_API void* ztrycalloc_usable(size_t size, size_t* usable) NH_NOEXCEPT;

NH_API char* zstrdup(const char* text) NH_NOEXCEPT;
NH_API char* zstrdup_usable(const char* text, size_t* usable) NH_NOEXCEPT;

/** On a cache line of its own; freed by zfree(). */
NH_API void* zmalloc_cache_aligned(size_t size) NH_NOEXCEPT;

/** jemalloc's MALLOCX flags: MALLOCX_ALIGN and MALLOCX_ZERO are honoured; MALLOCX_ARENA(n) is the n-th placement, as
 *  zmalloc_get_allocator_info_by_arena() numbers them (an unknown one is out of memory); tcache flags are accepted. */
NH_API void* zmalloc_with_flags(size_t size, int flags) NH_NOEXCEPT;
/** The block stays in its placement: MALLOCX_ARENA counts for a NULL block only. MALLOCX_ZERO clears what was added. */
NH_API void* zrealloc_with_flags(void* block, size_t size, int flags) NH_NOEXCEPT;
NH_API void zfree_with_flags(void* block, int flags) NH_NOEXCEPT;

/* For defragmenters that copy a block and free the old one: plain allocations here. used_memory does not move, as one
 * size replaces the other. */
NH_API void* zmalloc_no_tcache(size_t size) NH_NOEXCEPT;
NH_API void zfree_no_tcache(void* block) NH_NOEXCEPT;
NH_API void* allocatorDefragAlloc(size_t size) NH_NOEXCEPT;
NH_API void allocatorDefragFree(void* block, size_t size) NH_NOEXCEPT;

/* ---- Resize: size 0 frees and returns NULL without a call to the OOM handler ---- */

NH_API void* zrealloc(void* block, size_t size) NH_NOEXCEPT;
NH_API void* ztryrealloc(void* block, size_t size) NH_NOEXCEPT;
#ifdef NUMAHEAP_ZMALLOC_REDIS_2026
NH_API void* zrealloc_usable(void* block, size_t size, size_t* usable,
                             size_t* old_usable) NH_NOEXCEPT __asm__("nh_zrealloc_usable_with_old");
NH_API void* ztryrealloc_usable(void* block, size_t size, size_t* usable,
                                size_t* old_usable) NH_NOEXCEPT
    __asm__("nh_ztryrealloc_usable_with_old");
#else
NH_API void* zrealloc_usable(void* block, size_t size, size_t* usable) NH_NOEXCEPT;
NH_API void* ztryrealloc_usable(void* block, size_t size, size_t* usable) NH_NOEXCEPT;
#endif

/* ---- Free: NULL is ignored ---- */

NH_API void zfree(void* block) NH_NOEXCEPT;
/** \param usable  the bytes that the block had; 0 for NULL. */
NH_API void zfree_usable(void* block, size_t* usable) NH_NOEXCEPT;
/** \param size  the usable size of the block, or what was asked for by a function without alignment. */
NH_API void zfree_with_size(void* block, size_t size) NH_NOEXCEPT;

/* ---- Sizes ---- */

NH_API size_t zmalloc_size(const void* block) NH_NOEXCEPT;
NH_API size_t zmalloc_usable_size(const void* block) NH_NOEXCEPT;
/** Returns `block`, and tells the compiler that it has `size` bytes. */
NH_API __attribute__((alloc_size(2), noinline)) void* extend_to_usable(void* block,
                                                                       size_t size) NH_NOEXCEPT;

/* ---- What is used ---- */

/** Live bytes by usable size; under 100 ns with any number of threads, for every command. */
NH_API size_t zmalloc_used_memory(void) NH_NOEXCEPT;
NH_API size_t zmalloc_get_peak_memory(void) NH_NOEXCEPT;
/** Unix time at which the peak was seen. */
NH_API time_t zmalloc_get_peak_memory_time(void) NH_NOEXCEPT;
/* Accepted: every thread has counters of its own here. */
NH_API void zmalloc_reserve_thread_slots(int count) NH_NOEXCEPT;
NH_API void zmalloc_register_reserved_slot(void) NH_NOEXCEPT;

/* \returns 1. The figures are jemalloc's own over all placements: allocated (what caches hold included), active,
 * resident (free extents that a purge would give back and the heap's own structures included), retained, muzzy, and the
 * free slots of slabs. All are 0 under NUMAHEAP_BACKEND=system. A fresh reading takes tens of microseconds and more,
 * and does the heap's housekeeping that is due (servers ask ten times a second, idle or not); `refresh_stats` 0 gives
 * the figures of the last one again. */
#if defined(NUMAHEAP_ZMALLOC_REDIS_74) || defined(NUMAHEAP_ZMALLOC_REDIS_2026)
NH_API int zmalloc_get_allocator_info(int refresh_stats, size_t* allocated, size_t* active,
                                      size_t* resident, size_t* retained, size_t* muzzy,
                                      size_t* frag_smallbins_bytes) NH_NOEXCEPT
    __asm__("nh_zmalloc_get_allocator_info_redis_74");
#elif defined(NUMAHEAP_ZMALLOC_VALKEY_80)
NH_API int zmalloc_get_allocator_info(size_t* allocated, size_t* active, size_t* resident,
                                      size_t* retained, size_t* muzzy,
                                      size_t* frag_smallbins_bytes) NH_NOEXCEPT
    __asm__("nh_zmalloc_get_allocator_info_valkey_80");
#elif defined(NUMAHEAP_ZMALLOC_VALKEY_81)
NH_API int zmalloc_get_allocator_info(size_t* allocated, size_t* active, size_t* resident,
                                      size_t* retained, size_t* muzzy) NH_NOEXCEPT
    __asm__("nh_zmalloc_get_allocator_info_valkey_81");
#else
NH_API int zmalloc_get_allocator_info(size_t* allocated, size_t* active,
                                      size_t* resident) NH_NOEXCEPT;
#endif
/** The same for one placement, always fresh: nodes first, in the order of numaheap/statistics.hpp.
 *  \returns 0, and zeros, if there is no such placement. */
NH_API int zmalloc_get_allocator_info_by_arena(unsigned arena, int refresh_stats, size_t* allocated,
                                               size_t* active, size_t* resident,
                                               size_t* frag_smallbins_bytes) NH_NOEXCEPT;
/** Free slots in slabs that are in use, in bytes; a fresh reading. */
NH_API size_t zmalloc_get_frag_smallbins(void) NH_NOEXCEPT;
NH_API size_t zmalloc_get_frag_smallbins_by_arena(unsigned arena) NH_NOEXCEPT;

/** Gives all unused memory back to the kernel: the caller's cache, the node-level caches and free extents.
 *  \returns 0. */
NH_API int jemalloc_purge(void) NH_NOEXCEPT;
/** Accepted: the heap has no background thread to switch; see zmalloc_get_allocator_info(). */
NH_API void set_jemalloc_bg_thread(int enable) NH_NOEXCEPT;

/* ---- The process ---- */

/** Resident bytes of the process; 0 if /proc does not say. */
NH_API size_t zmalloc_get_rss(void) NH_NOEXCEPT;
/** Private_Dirty of a process (-1: this one). Walks all pages: up to a second on a large heap. */
NH_API size_t zmalloc_get_private_dirty(long pid) NH_NOEXCEPT;
/** Sum of a field of /proc/<pid>/smaps in bytes; 0 if there is none.
 *  \param field  with the colon: "Rss:".
 *  \param pid    -1: this process. */
NH_API size_t zmalloc_get_smap_bytes_by_field(const char* field, long pid) NH_NOEXCEPT;
/** Physical memory of the machine in bytes. */
NH_API size_t zmalloc_get_memory_size(void) NH_NOEXCEPT;
/** Field `index` of /proc/self/stat, counted from 1 as in proc(5), 3 or more.
 *  \returns 1, or 0 if there is no such number. */
NH_API int get_proc_stat_ll(int index, long long* value) NH_NOEXCEPT;

/* Drop the contents of the whole pages inside a block, or a range: they read as zeros. For what a forked child does not
 * need any more, so that its parent's writes are not copied. */
#ifdef NUMAHEAP_ZMALLOC_VALKEY_81
/** \param size_hint  about the block's size, to save a look-up for small ones; 0: unknown. */
NH_API void zmadvise_dontneed(void* block, size_t size_hint) NH_NOEXCEPT
    __asm__("nh_zmadvise_dontneed_hint");
#else
NH_API void zmadvise_dontneed(void* block) NH_NOEXCEPT;
#endif
NH_API void zmadvise_dontneed_range(void* start, size_t size) NH_NOEXCEPT;

/* ---- libc's own heap, for what came from it (getline, backtrace_symbols) ---- */

NH_API void zlibc_free(void* block) NH_NOEXCEPT;
NH_API void zlibc_trim(void) NH_NOEXCEPT;

/** Called with the size that could not be had. The default writes a line to stderr and aborts. NULL: the default. */
NH_API void zmalloc_set_oom_handler(void (*handler)(size_t size)) NH_NOEXCEPT;

NH_END_DECLS

#endif
