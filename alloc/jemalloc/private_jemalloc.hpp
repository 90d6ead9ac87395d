/// \file
/// jemalloc under names of our own (see tools/cmake/private_jemalloc.cmake). Only alloc/jemalloc may include this.

#pragma once

#include <jemalloc/jemalloc.h>

#include <cstddef>

extern "C" {
void* nh_je_mallocx(size_t size, int flags);
void* nh_je_rallocx(void* block, size_t size, int flags);
size_t nh_je_xallocx(void* block, size_t size, size_t extra, int flags);
size_t nh_je_sallocx(const void* block, int flags);
void nh_je_dallocx(void* block, int flags);
void nh_je_sdallocx(void* block, size_t size, int flags);
size_t nh_je_nallocx(size_t size, int flags);
int nh_je_mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                  size_t new_size);
int nh_je_mallctlnametomib(const char* name, size_t* mib, size_t* mib_length);
int nh_je_mallctlbymib(const size_t* mib, size_t mib_length, void* old_value, size_t* old_size,
                       void* new_value, size_t new_size);
void nh_je_malloc_stats_print(void (*write)(void*, const char*), void* context,
                              const char* options);
extern void (*nh_je_malloc_message)(void* context, const char* text);
extern const char* nh_je_malloc_conf;
extern bool nh_je_opt_cache_oblivious;
}
