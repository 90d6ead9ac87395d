/** \file
 *  The allocator of Redis' sds strings: the names that sds.c uses, over numaheap/zmalloc.h. */
#ifndef NUMAHEAP_SDSALLOC_H
#define NUMAHEAP_SDSALLOC_H

#include "numaheap/zmalloc.h"

#define s_malloc zmalloc
#define s_realloc zrealloc
#define s_trymalloc ztrymalloc
#define s_tryrealloc ztryrealloc
#define s_free zfree
#define s_free_with_size zfree_with_size
#define s_malloc_usable zmalloc_usable
#define s_realloc_usable zrealloc_usable
#define s_trymalloc_usable ztrymalloc_usable
#define s_tryrealloc_usable ztryrealloc_usable
#define s_free_usable zfree_usable
#define s_malloc_size zmalloc_size
#define s_malloc_usable_size zmalloc_usable_size

#endif
