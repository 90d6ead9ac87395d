/// \file
/// NH_SANITIZED: whether a sanitizer's shadow memory takes most of the address space, so that limits on it, and locking
/// all of it, cannot be tested.

#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NH_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NH_SANITIZED 1
#endif
#endif
#ifndef NH_SANITIZED
#define NH_SANITIZED 0
#endif
