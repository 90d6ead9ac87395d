/** \file
 *  The heap's C face: memory that lies where its thread runs, and goes home when it is freed.
 *
 *  Conventions
 *  - Threads: every function may be called from any thread at any time: before main, after it, in a forked child, in a
 *    signal handler only if the thread was not inside the heap.
 *  - Ownership: what an allocating function returns is given back once, from any thread, with nh_free() or one of its
 *    sized forms, or is resized by nh_realloc(). It must not go to free(3), nor malloc(3)'s blocks to nh_free().
 *  - Sizes are bytes. 0 is served as the smallest block, so that NULL always means failure. Blocks are aligned to 16
 *    bytes (a request of up to 8 bytes: to 8), or as asked.
 *  - Errors: an allocating function returns NULL with errno ENOMEM (no memory, or a hard limit) or EINVAL (an argument).
 *    The others return an nh_status. errno is left alone on success. Nothing prints, nothing aborts but corrupt state.
 *  - Nodes are numbered as numactl(8) prints them.
 *  The C++ face is numaheap/alloc.hpp; both are the same heap.
 */
#ifndef NUMAHEAP_H
#define NUMAHEAP_H

#include <stddef.h>

#include "numaheap/base/api.h"

#define NH_VERSION_MAJOR 0
#define NH_VERSION_MINOR 1
#define NH_VERSION_PATCH 0

/** What programs were compiled against: sizes of structures, meanings of arguments and, for C++, the inlined paths. */
#define NH_ABI_VERSION 1u

/** "No node": memory that is interleaved, or not the heap's. */
#define NH_NO_NODE (~0u)

/* C may pass any int for an enumeration; C++ may look at such a one only if its type is said. */
#ifdef __cplusplus
#define NH_ENUM_INT : int
#else
#define NH_ENUM_INT
#endif

NH_BEGIN_DECLS

typedef enum nh_status NH_ENUM_INT {
  NH_OK = 0,
  NH_INVALID_ARGUMENT, /**< The caller's input is not accepted. */
  NH_NO_MEMORY,        /**< The kernel or a limit refused memory. */
  NH_NOT_PERMITTED,    /**< The kernel refused for lack of a right. */
  NH_NOT_SUPPORTED,    /**< The machine, the kernel or this build does not have it. */
  NH_NOT_FOUND,        /**< There is no such node, file or block. */
  NH_SYSTEM            /**< Another system call failed; errno says which way. */
} nh_status;

/** A sentence for people, in static storage; also for numbers that are no status. */
NH_API const char* nh_status_text(nh_status status) NH_NOEXCEPT;

/* ---- Version ---- */

/** "0.1.0": the version of the library that runs, not of this header. */
NH_API const char* nh_version_string(void) NH_NOEXCEPT;

/** The handshake: call it once as nh_check_abi(NH_ABI_VERSION).
 *  \returns NH_NOT_SUPPORTED if the library that runs has another ABI than the header that was compiled. */
NH_API nh_status nh_check_abi(unsigned header_abi) NH_NOEXCEPT;

/* ---- Allocate ---- */

/** Allocates on the calling thread's home node, like malloc(3). */
NH_API void* nh_malloc(size_t bytes) NH_NOEXCEPT;
/** The same for `count` elements, filled with zeros. \returns NULL with ENOMEM if count * bytes overflows. */
NH_API void* nh_calloc(size_t count, size_t bytes) NH_NOEXCEPT;
/** The same for one block: nh_calloc(1, bytes). */
NH_API void* nh_zalloc(size_t bytes) NH_NOEXCEPT;
/** \param alignment  a power of two, else NULL with EINVAL; `bytes` need not be a multiple of it. */
NH_API void* nh_aligned_alloc(size_t alignment, size_t bytes) NH_NOEXCEPT;

/** Allocates on one NUMA node, like malloc(3).
 *  \param node  a node of this machine that this process may use.
 *  \returns     NULL with EINVAL if the node is not one. A full node falls back to the nearest one; that is counted. */
NH_API void* nh_malloc_onnode(size_t bytes, unsigned node) NH_NOEXCEPT;
/** Allocates page by page over all allowed nodes. */
NH_API void* nh_malloc_interleaved(size_t bytes) NH_NOEXCEPT;
/** The same by the kernel's weights (Linux 6.9; plain interleaving before, which is reported). */
NH_API void* nh_malloc_weighted(size_t bytes) NH_NOEXCEPT;

typedef enum nh_placement_kind NH_ENUM_INT {
  NH_LOCAL,
  NH_NODE,
  NH_INTERLEAVED,
  NH_WEIGHTED
} nh_placement_kind;
typedef struct nh_placement {
  nh_placement_kind kind;
  unsigned node; /**< For NH_NODE. */
} nh_placement;

/** The general form of the ones above.
 *  \param alignment  a power of two; 1 gives the usual alignment. */
NH_API void* nh_aligned_alloc_on(nh_placement placement, size_t alignment,
                                 size_t bytes) NH_NOEXCEPT;

/** Fills blocks[0..count) with blocks of one size on the home node; cheaper than as many calls.
 *  \returns how many there was memory for; the rest of the array is untouched. */
NH_API size_t nh_malloc_batch(size_t bytes, void** blocks, size_t count) NH_NOEXCEPT;

/* The try forms fail at once where the others would first call the reclaim hook. */
NH_API void* nh_try_malloc(size_t bytes) NH_NOEXCEPT;
NH_API void* nh_try_calloc(size_t count, size_t bytes) NH_NOEXCEPT;
NH_API void* nh_try_zalloc(size_t bytes) NH_NOEXCEPT;
NH_API void* nh_try_aligned_alloc(size_t alignment, size_t bytes) NH_NOEXCEPT;
NH_API void* nh_try_malloc_onnode(size_t bytes, unsigned node) NH_NOEXCEPT;
NH_API void* nh_try_malloc_interleaved(size_t bytes) NH_NOEXCEPT;
NH_API void* nh_try_malloc_weighted(size_t bytes) NH_NOEXCEPT;
NH_API void* nh_try_aligned_alloc_on(nh_placement placement, size_t alignment,
                                     size_t bytes) NH_NOEXCEPT;
NH_API void* nh_try_realloc(void* block, size_t bytes) NH_NOEXCEPT;
NH_API size_t nh_try_malloc_batch(size_t bytes, void** blocks, size_t count) NH_NOEXCEPT;

/* ---- Resize, give back ---- */

/** Resizes as realloc(3): NULL allocates, the contents are kept up to the smaller size, the block may move and stays in
 *  its placement. 0 is served as the smallest block, and does not free.
 *  \returns NULL if there is no memory; then the old block is untouched. */
NH_API void* nh_realloc(void* block, size_t bytes) NH_NOEXCEPT;
/** Tries to make a block hold `bytes` without moving it. \returns 1 if nh_malloc_usable_size(block) >= bytes now. */
NH_API int nh_expand_in_place(void* block, size_t bytes) NH_NOEXCEPT;

/** Gives a block back to its node; NULL is ignored. What is not the start of a live block is dropped, counted and
 *  reported, as far as it can be told: a double free cannot. */
NH_API void nh_free(void* block) NH_NOEXCEPT;
/** The same with the size that was asked for, or the usable size; wrong sizes are undefined. */
NH_API void nh_free_sized(void* block, size_t bytes) NH_NOEXCEPT;
/** The same for blocks of nh_aligned_alloc(). */
NH_API void nh_free_aligned_sized(void* block, size_t alignment, size_t bytes) NH_NOEXCEPT;
/** Gives all of them back; they may be of any size and node. Null pointers are skipped. */
NH_API void nh_free_batch(void* const* blocks, size_t count) NH_NOEXCEPT;

/* ---- Ask ---- */

/** The bytes that a block really has, all of them usable; 0 for NULL and for what is not the heap's. */
NH_API size_t nh_malloc_usable_size(const void* block) NH_NOEXCEPT;
/** 1 if the address lies in one of the heap's ranges. */
NH_API int nh_owns(const void* address) NH_NOEXCEPT;
/** Where a pointer belongs, in about a nanosecond.
 *  \returns NH_NO_NODE for foreign memory and, if there is more than one node, for interleaved memory. */
NH_API unsigned nh_home_node(const void* address) NH_NOEXCEPT;
/** Where the kernel says that the page is now; one system call.
 *  \param node  filled on NH_OK.
 *  \returns     NH_NOT_FOUND if the page was never touched or was given back to the kernel. */
NH_API nh_status nh_resident_node(const void* address, unsigned* node) NH_NOEXCEPT;
/** The home node of the calling thread; NH_NO_NODE if its home is interleaved or weighted. */
NH_API unsigned nh_thread_node(void) NH_NOEXCEPT;
/** Live bytes, in under 100 ns with any number of threads; see numaheap/statistics.hpp for how exact that is. */
NH_API size_t nh_used_memory(void) NH_NOEXCEPT;

/* ---- Return memory to the kernel ---- */

/** Gives unused memory back to the kernel, at most about `budget_bytes`; threads' caches are left alone.
 *  \param left_bytes  if not NULL, what is still unused and resident.
 *  \returns           the bytes that this call gave back. */
NH_API size_t nh_purge(size_t budget_bytes, size_t* left_bytes) NH_NOEXCEPT;
/** The same for one node. */
NH_API size_t nh_purge_node(unsigned node, size_t budget_bytes, size_t* left_bytes) NH_NOEXCEPT;
/** Empties the calling thread's cache into the node-level caches. \returns the bytes that were in it. */
NH_API size_t nh_trim(void) NH_NOEXCEPT;
/** Does the housekeeping that is due by the clock (ageing of caches, purging, limits), which otherwise happens while
 *  threads allocate: for an idle program's timer. Mostly a look at the clock; at most some hundred microseconds. */
NH_API void nh_housekeep(void) NH_NOEXCEPT;
/** Says that this thread will sleep for long: trims, and lets others take what it held. */
NH_API void nh_thread_idle(void) NH_NOEXCEPT;

/* ---- Limits; 0 means none ---- */

typedef enum nh_limit_kind NH_ENUM_INT {
  NH_LIMIT_LIVE,     /**< What was handed out and not freed. */
  NH_LIMIT_RESIDENT, /**< The process' resident set, sampled. */
  NH_LIMIT_CGROUP    /**< The cgroup's memory.current, sampled. */
} nh_limit_kind;

/** Sets a limit of the process.
 *  \returns NH_INVALID_ARGUMENT if soft > hard > 0, NH_NOT_SUPPORTED if the figure cannot be read here. */
NH_API nh_status nh_set_limit(nh_limit_kind kind, size_t soft_bytes, size_t hard_bytes) NH_NOEXCEPT;
/** Sets a limit on a node's live bytes. \returns NH_NOT_FOUND if there is no such node. */
NH_API nh_status nh_set_node_limit(unsigned node, size_t soft_bytes, size_t hard_bytes) NH_NOEXCEPT;
NH_API void nh_get_limit(nh_limit_kind kind, size_t* soft_bytes, size_t* hard_bytes) NH_NOEXCEPT;
NH_API void nh_get_node_limit(unsigned node, size_t* soft_bytes, size_t* hard_bytes) NH_NOEXCEPT;
/** 1 while any soft limit is exceeded: for a host that evicts at its own safe points. One load. */
NH_API int nh_over_soft_limit(void) NH_NOEXCEPT;

typedef struct nh_limit_event {
  nh_limit_kind kind;
  unsigned node; /**< NH_NO_NODE: the process. */
  int hard;      /**< 1: a request met the hard limit. 0: a soft limit was crossed upwards. */
  size_t value_bytes;
  size_t limit_bytes;
} nh_limit_event;
typedef void (*nh_limit_callback)(const nh_limit_event* event, void* context);
/** Called once per crossing, on the thread whose request crossed the limit, with no lock held; it may allocate.
 *  NULL: none. */
NH_API void nh_set_limit_callback(nh_limit_callback callback, void* context) NH_NOEXCEPT;

/** Asked, where a request would fail, to free about `wanted_bytes` of what the hook itself owns.
 *  \returns whether trying again is worth it. */
typedef int (*nh_reclaim_hook)(size_t wanted_bytes, void* context);
/** Runs on the thread that asks, never re-entered, with no lock held. NULL: none. */
NH_API void nh_set_reclaim_hook(nh_reclaim_hook hook, void* context) NH_NOEXCEPT;

/* ---- Roles ---- */

/** Applies a roles file, the one that `numaheap run --config` takes, after all of it was checked: sets the limits of its
 *  nodes, lets the calling thread join "default", and keeps the roles for nh_join_role(). A second call replaces them.
 *  \param mistakes  filled with one line per mistake, "FILE:LINE: KEY = VALUE: PROBLEM", cut at mistakes_bytes - 1; may
 *                   be NULL if mistakes_bytes is 0.
 *  \returns         NH_INVALID_ARGUMENT if there are mistakes: nothing is changed then. */
NH_API nh_status nh_apply_roles(const char* file, char* mistakes,
                                size_t mistakes_bytes) NH_NOEXCEPT;
/** Pins the calling thread to the role's CPUs and gives it the role's memory as its home.
 *  \param role  NULL: the role whose patterns match the thread's own name.
 *  \returns     NH_NOT_FOUND if there is no such role; another status if pinning is refused: the thread then has the
 *               role's memory all the same. */
NH_API nh_status nh_join_role(const char* role) NH_NOEXCEPT;
/** Gives the calling thread a home that it keeps wherever it runs; NH_LOCAL lets it follow its CPU again.
 *  \returns NH_NOT_FOUND for a node that has no heap. */
NH_API nh_status nh_set_thread_home(nh_placement placement) NH_NOEXCEPT;

/* ---- Reports ---- */

typedef enum nh_report_kind NH_ENUM_INT {
  NH_REPORT_PLACEMENT, /**< A step down the policy ladder, a node left out, a smaller range. */
  NH_REPORT_SETTING,   /**< A setting in the environment that is not accepted; the default holds. */
  NH_REPORT_MISUSE, /**< A pointer that is not ours, or not the start of a block; it was dropped. */
  NH_REPORT_LIMIT,  /**< A limit was crossed or cannot be watched. */
  NH_REPORT_OUT_OF_MEMORY /**< The kernel refused memory. */
} nh_report_kind;

typedef struct nh_report {
  nh_report_kind kind;
  const char* text;    /**< A sentence; valid during the callback. */
  const void* address; /**< The pointer it is about, or NULL. */
  int system_errno;    /**< errno of the refused call, or 0. */
} nh_report;
typedef void (*nh_report_callback)(const nh_report* report, void* context);
/** Sets the one callback (NULL: none) and replays what was kept since the start; each matter is told once. */
NH_API void nh_set_report_callback(nh_report_callback callback, void* context) NH_NOEXCEPT;

NH_END_DECLS

#endif
