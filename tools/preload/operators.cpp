/// \file
/// operator new and delete in all their forms.
///
/// The object does not link the C++ runtime: a C program then does not load one, and a program that brings its own
/// (a newer libstdc++, libc++) is not tied to the system's. What new needs when memory is out (the new_handler,
/// bad_alloc, a catch for the nothrow forms) is asked of the runtime that the program has. So nothing is thrown or
/// caught here; exceptions pass through by the unwind tables.
///
/// The forms that the standard defines by others (arrays, sized delete) are jumps to those by name: a program that
/// replaces operator new(size_t) and operator delete(void*) alone gets its own from all forms, as it does without us.
/// So sized delete looks the size up; a program that deletes by a wrong type does not corrupt a cache.

#include <dlfcn.h>
#include <stdlib.h>

#include <new>

#include "message.hpp"
#include "numaheap/detail/fast_path.hpp"

// std::get_new_handler and std::__throw_bad_alloc of the program's runtime. Null where the program is not linked with
// one, or where one comes later, with a plugin.
extern "C" {
[[gnu::weak]] std::new_handler nh_linked_get_new_handler() noexcept
    __asm__("_ZSt15get_new_handlerv");
[[gnu::weak]] void nh_linked_throw_bad_alloc() __asm__("_ZSt17__throw_bad_allocv");
}

namespace {

using numaheap::detail::fast_allocate;
using numaheap::detail::fast_allocate_aligned;
using numaheap::detail::fast_deallocate;
using numaheap::detail::kMaxSmall;
using numaheap::detail::nh_class_table_abi1;
using numaheap::detail::pop_or;

/// A function of the C++ runtime that was loaded with a plugin, or nullptr. The library's own one, not what we export
/// under the same name. Only for when memory is out: it takes the loader's lock.
template <class Function>
Function* find_in_runtime(const char* symbol) {
  for (const char* library : {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"}) {
    void* loaded = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (loaded == nullptr) continue;
    void* address = dlsym(loaded, symbol);
    dlclose(loaded);
    if (address != nullptr) return reinterpret_cast<Function*>(address);
  }
  return nullptr;
}

[[noreturn]] void throw_bad_alloc() {
  auto* raise = &nh_linked_throw_bad_alloc;
  if (raise == nullptr) raise = find_in_runtime<void()>("_ZSt17__throw_bad_allocv");
  if (raise != nullptr) raise();
  numaheap::preload::print_line("operator new: no memory, and no C++ runtime to throw bad_alloc");
  abort();
}

/// What operator new does when there is no memory: lets the new_handler make some and tries again, for ever.
template <class Allocate>
[[gnu::noinline, gnu::cold]] void* allocate_with_handler(Allocate allocate) {
  for (;;) {
    auto* get_handler = &nh_linked_get_new_handler;
    if (get_handler == nullptr) {
      get_handler = find_in_runtime<std::new_handler() noexcept>("_ZSt15get_new_handlerv");
    }
    const std::new_handler handler = get_handler != nullptr ? get_handler() : nullptr;
    if (handler == nullptr) throw_bad_alloc();
    handler();
    if (void* block = allocate()) return block;
  }
}

[[gnu::noinline]] void* allocate_missed(size_t size) {
  if (void* block = fast_allocate(size)) return block;
  return allocate_with_handler([=] { return fast_allocate(size); });
}

}  // namespace

// Ours under names that no program replaces, to tell whether the operators that it uses are these.
extern "C" {

[[gnu::visibility("hidden")]] void* nh_preload_new(size_t size) {
  if (__builtin_expect(size <= kMaxSmall, 1)) {
    // A hit needs no stack frame this way; a miss is found a second time.
    void* block =
        pop_or(nh_class_table_abi1[(size + 7) >> 3], []() noexcept -> void* { return nullptr; });
    if (__builtin_expect(block != nullptr, 1)) return block;
  }
  return allocate_missed(size);
}

[[gnu::visibility("hidden")]] void* nh_preload_aligned_new(size_t size, std::align_val_t align) {
  const auto alignment = static_cast<size_t>(align);
  if (alignment == 0 || (alignment & (alignment - 1)) != 0) throw_bad_alloc();
  if (void* block = fast_allocate_aligned(alignment, size)) return block;
  return allocate_with_handler([=] { return fast_allocate_aligned(alignment, size); });
}

}  // extern "C"

[[gnu::alias("nh_preload_new")]] NH_API void* operator new(size_t size);
[[gnu::alias("nh_preload_aligned_new")]] NH_API void* operator new(size_t size,
                                                                   std::align_val_t alignment);

NH_API void* operator new[](size_t size) { return ::operator new(size); }

NH_API void* operator new[](size_t size, std::align_val_t alignment) {
  return ::operator new(size, alignment);
}

namespace {

// Bound by the loader to what the program uses; volatile, so that the compiler does not think it knows.
void* (*const volatile used_new)(size_t) = &::operator new;
void* (*const volatile used_aligned_new)(size_t, std::align_val_t) = &::operator new;

}  // namespace

// The nothrow forms. By the standard they call the throwing form and catch: the runtime's own definition does that,
// and so reaches the new_handler and a replaced operator new. Where there is no runtime, there is no handler either.
NH_API void* operator new(size_t size, const std::nothrow_t& tag) noexcept {
  const bool ours = used_new == &nh_preload_new;
  if (__builtin_expect(ours, 1)) {
    if (void* block = fast_allocate(size)) return block;
  }
  auto* runtime_new =
      find_in_runtime<void*(size_t, const std::nothrow_t&) noexcept>("_ZnwmRKSt9nothrow_t");
  if (runtime_new != nullptr) return runtime_new(size, tag);
  return ours ? nullptr : used_new(size);
}

NH_API void* operator new(size_t size, std::align_val_t alignment,
                          const std::nothrow_t& tag) noexcept {
  const bool ours = used_aligned_new == &nh_preload_aligned_new;
  if (__builtin_expect(ours, 1)) {
    if (void* block = fast_allocate_aligned(static_cast<size_t>(alignment), size)) return block;
  }
  auto* runtime_new =
      find_in_runtime<void*(size_t, std::align_val_t, const std::nothrow_t&) noexcept>(
          "_ZnwmSt11align_val_tRKSt9nothrow_t");
  if (runtime_new != nullptr) return runtime_new(size, alignment, tag);
  return ours ? nullptr : used_aligned_new(size, alignment);
}

NH_API void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
  return ::operator new(size, tag);
}

NH_API void* operator new[](size_t size, std::align_val_t alignment,
                            const std::nothrow_t& tag) noexcept {
  return ::operator new(size, alignment, tag);
}

NH_API void operator delete(void* block) noexcept { fast_deallocate(block); }
NH_API void operator delete(void* block, std::align_val_t) noexcept { fast_deallocate(block); }

NH_API void operator delete(void* block, size_t) noexcept { ::operator delete(block); }
NH_API void operator delete(void* block, const std::nothrow_t&) noexcept {
  ::operator delete(block);
}
NH_API void operator delete[](void* block) noexcept { ::operator delete(block); }
NH_API void operator delete[](void* block, size_t) noexcept { ::operator delete[](block); }
NH_API void operator delete[](void* block, const std::nothrow_t&) noexcept {
  ::operator delete[](block);
}

NH_API void operator delete(void* block, size_t, std::align_val_t alignment) noexcept {
  ::operator delete(block, alignment);
}
NH_API void operator delete(void* block, std::align_val_t alignment,
                            const std::nothrow_t&) noexcept {
  ::operator delete(block, alignment);
}
NH_API void operator delete[](void* block, std::align_val_t alignment) noexcept {
  ::operator delete(block, alignment);
}
NH_API void operator delete[](void* block, size_t, std::align_val_t alignment) noexcept {
  ::operator delete[](block, alignment);
}
NH_API void operator delete[](void* block, std::align_val_t alignment,
                              const std::nothrow_t&) noexcept {
  ::operator delete[](block, alignment);
}
