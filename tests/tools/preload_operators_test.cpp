/// \file
/// Every form of operator new and delete under the preload object, with memory and without. Runs with LD_PRELOAD set.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <new>
#include <string>
#include <vector>

namespace {

constexpr std::align_val_t kAlignment{256};
constexpr size_t kAlignmentBytes = 256;

/// Through here, so that the compiler neither judges a size nor removes a pair of calls.
size_t hide(size_t value) {
  __asm__ volatile("" : "+r"(value));
  return value;
}
const size_t kTooMuch = hide(SIZE_MAX / 2 + 2);

struct Form {
  const char* name;
  std::function<void*(size_t)> allocate;
  std::function<void(void*)> deallocate;
  size_t alignment;
  bool throws;
};

const std::vector<Form>& forms() {
  static const std::vector<Form> all = {
      {"new", [](size_t n) { return ::operator new(n); }, [](void* p) { ::operator delete(p); }, 16,
       true},
      {"new[]", [](size_t n) { return ::operator new[](n); },
       [](void* p) { ::operator delete[](p); }, 16, true},
      {"nothrow new", [](size_t n) { return ::operator new(n, std::nothrow); },
       [](void* p) { ::operator delete(p, std::nothrow); }, 16, false},
      {"nothrow new[]", [](size_t n) { return ::operator new[](n, std::nothrow); },
       [](void* p) { ::operator delete[](p, std::nothrow); }, 16, false},
      {"aligned new", [](size_t n) { return ::operator new(n, kAlignment); },
       [](void* p) { ::operator delete(p, kAlignment); }, kAlignmentBytes, true},
      {"aligned new[]", [](size_t n) { return ::operator new[](n, kAlignment); },
       [](void* p) { ::operator delete[](p, kAlignment); }, kAlignmentBytes, true},
      {"aligned nothrow new", [](size_t n) { return ::operator new(n, kAlignment, std::nothrow); },
       [](void* p) { ::operator delete(p, kAlignment, std::nothrow); }, kAlignmentBytes, false},
      {"aligned nothrow new[]",
       [](size_t n) { return ::operator new[](n, kAlignment, std::nothrow); },
       [](void* p) { ::operator delete[](p, kAlignment, std::nothrow); }, kAlignmentBytes, false},
  };
  return all;
}

/// Sets a new_handler for a scope.
class WithHandler {
 public:
  explicit WithHandler(std::new_handler handler) : old_(std::set_new_handler(handler)) {}
  ~WithHandler() { std::set_new_handler(old_); }
  WithHandler(const WithHandler&) = delete;
  WithHandler& operator=(const WithHandler&) = delete;

 private:
  std::new_handler old_;
};

int g_calls;

TEST(PreloadOperators, ComeFromThePreloadObject) {
  for (const char* symbol : {"_Znwm", "_ZnamRKSt9nothrow_t", "_ZdlPvmSt11align_val_t"}) {
    Dl_info info;
    ASSERT_NE(dladdr(dlsym(RTLD_DEFAULT, symbol), &info), 0);
    EXPECT_NE(std::string(info.dli_fname).find("libnumaheap_preload.so"), std::string::npos)
        << symbol;
  }
}

TEST(PreloadOperators, GiveMemoryOfEverySize) {
  for (const Form& form : forms()) {
    for (const size_t size : {0, 1, 8, 9, 100, 1000, 14336, 14337, 1 << 20, 9 << 20}) {
      void* block = form.allocate(size);
      ASSERT_NE(block, nullptr) << form.name << " " << size;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % (size > 8 ? form.alignment : 8), 0u)
          << form.name << " " << size;
      EXPECT_GE(malloc_usable_size(block), size) << form.name;
      memset(block, 1, malloc_usable_size(block));
      form.deallocate(block);
    }
  }
}

TEST(PreloadOperators, SizedFormsOfDeleteTakeBack) {
  const size_t before = mallinfo2().uordblks;
  for (int i = 0; i < 1000; ++i) {
    ::operator delete (::operator new(9 << 20), size_t{9 << 20});
    ::operator delete[](::operator new[](9 << 20), size_t{9 << 20});
    ::operator delete (::operator new(9 << 20, kAlignment), size_t{9 << 20}, kAlignment);
    ::operator delete[](::operator new[](9 << 20, kAlignment), size_t{9 << 20}, kAlignment);
  }
  EXPECT_LT(mallinfo2().uordblks, before + (9 << 20));
}

TEST(PreloadOperators, DeleteIgnoresNull) {
  for (const Form& form : forms()) form.deallocate(nullptr);
}

TEST(PreloadOperators, ThrowBadAllocOrReturnNullWithoutMemory) {
  for (const Form& form : forms()) {
    if (form.throws) {
      EXPECT_THROW(form.allocate(kTooMuch), std::bad_alloc) << form.name;
    } else {
      EXPECT_EQ(form.allocate(kTooMuch), nullptr) << form.name;
    }
  }
  EXPECT_EQ(std::uncaught_exceptions(), 0);
}

TEST(PreloadOperators, CallTheNewHandlerUntilItIsGone) {
  for (const Form& form : forms()) {
    g_calls = 0;
    WithHandler handler([] {
      if (++g_calls == 3) std::set_new_handler(nullptr);
    });
    if (form.throws) {
      EXPECT_THROW(form.allocate(kTooMuch), std::bad_alloc) << form.name;
    } else {
      EXPECT_EQ(form.allocate(kTooMuch), nullptr) << form.name;
    }
    EXPECT_EQ(g_calls, 3) << form.name;
  }
}

TEST(PreloadOperators, LetTheNewHandlersExceptionThroughAndNothrowFormsCatchIt) {
  struct HandlerGivesUp : std::bad_alloc {};
  for (const Form& form : forms()) {
    WithHandler handler([] { throw HandlerGivesUp(); });
    if (form.throws) {
      EXPECT_THROW(form.allocate(kTooMuch), HandlerGivesUp) << form.name;
    } else {
      EXPECT_EQ(form.allocate(kTooMuch), nullptr) << form.name;
    }
  }
}

TEST(PreloadOperators, RunDestructorsWhileBadAllocPassesThrough) {
  static int destroyed;
  destroyed = 0;
  struct Counts {
    ~Counts() { ++destroyed; }
  };
  const auto fails = [] {
    Counts first;
    std::vector<std::string> some(10, std::string(100, 'x'));
    ::operator delete(::operator new(kTooMuch));
  };
  EXPECT_THROW(fails(), std::bad_alloc);
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
