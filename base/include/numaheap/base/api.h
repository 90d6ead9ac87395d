/** \file
 *  NH_API marks what the shared library exports; everything else is hidden. NH_BEGIN_DECLS opens a C face. */
#ifndef NUMAHEAP_BASE_API_H
#define NUMAHEAP_BASE_API_H

#define NH_API __attribute__((visibility("default")))

#ifdef __cplusplus
#define NH_BEGIN_DECLS extern "C" {
#define NH_END_DECLS }
#define NH_NOEXCEPT noexcept
#else
#define NH_BEGIN_DECLS
#define NH_END_DECLS
#define NH_NOEXCEPT
#endif

#endif
