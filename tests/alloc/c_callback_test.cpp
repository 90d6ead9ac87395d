#include "alloc/c_callback.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "stress.hpp"

namespace numaheap {
namespace {

int first_function(void*) { return 1; }
int second_function(void*) { return 2; }

TEST(CCallback, HasNoFunctionBeforeOneIsSet) {
  const CCallback<int(void*)> callback;
  EXPECT_EQ(callback.get().function, nullptr);
}

TEST(CCallback, GivesTheLastPairThatWasSet) {
  CCallback<int(void*)> callback;
  int contexts[100];
  for (int& context : contexts) {
    callback.set(&context == contexts ? first_function : second_function, &context);
    EXPECT_EQ(callback.get().context, &context);
  }
  EXPECT_EQ(callback.get().function, second_function);
  callback.set(nullptr, nullptr);
  EXPECT_EQ(callback.get().function, nullptr);
}

TEST(CCallback, NeverMixesTheWordsOfTwoPairs) {
  static CCallback<int(void*)> callback;
  static int first_context;
  static int second_context;
  callback.set(first_function, &first_context);
  std::vector<std::thread> writers;
  for (int thread = 0; thread < 2; ++thread) {
    writers.emplace_back([] {
      for (size_t i = 0; i < tests::repeated(20000); ++i) {
        callback.set(first_function, &first_context);
        callback.set(second_function, &second_context);
      }
    });
  }
  int mixed = 0;
  for (size_t i = 0; i < tests::repeated(200000); ++i) {
    const auto pair = callback.get();
    if ((pair.function == first_function) != (pair.context == &first_context)) ++mixed;
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(mixed, 0);
}

}  // namespace
}  // namespace numaheap
