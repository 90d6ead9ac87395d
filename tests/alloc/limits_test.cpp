// Limits: soft ones are told once per crossing, hard ones refuse, and the reclaim hook comes before a refusal.
#include "numaheap/limits.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "alloc/limits.hpp"
#include "books.hpp"
#include "numaheap/alloc.hpp"
#include "own_process.hpp"
#include "skip.hpp"

namespace numaheap {
namespace {

using tests::live;
using tests::run_in_own_process;

constexpr size_t kMiB = size_t{1} << 20;

class Limits : public testing::Test {
 protected:
  Limits() {
    deallocate(allocate(1));
    trim();
    events_.clear();
    set_limit_callback(
        [](const LimitEvent& event, void* context) noexcept {
          static_cast<Limits*>(context)->events_.push_back(event);
          deallocate(allocate(100000));  // it may allocate
        },
        this);
  }
  ~Limits() override {
    set_limit_callback(nullptr, nullptr);
    set_reclaim_hook(nullptr, nullptr);
    for (LimitKind kind : {LimitKind::kLive, LimitKind::kResident, LimitKind::kCgroup})
      (void)set_limit(kind, {});
    (void)set_node_limit(thread_node(), {});
    for (void* block : blocks_) deallocate(block);
  }

  /// Blocks that no cache serves.
  void* take(size_t bytes) {
    void* block = allocate(bytes);
    if (block != nullptr) blocks_.push_back(block);
    return block;
  }
  void free_all() {
    for (void* block : blocks_) deallocate(block);
    blocks_.clear();
  }

  std::vector<LimitEvent> events_;
  std::vector<void*> blocks_;
};

TEST_F(Limits, ASoftLimitIsToldOncePerCrossing) {
  const Bytes soft = live() + MiB(20);
  ASSERT_TRUE(set_limit(LimitKind::kLive, {soft, {}}));
  EXPECT_FALSE(over_soft_limit());
  for (int crossing = 1; crossing <= 3; ++crossing) {
    for (int i = 0; i < 6; ++i) ASSERT_NE(take(6 * kMiB), nullptr);
    EXPECT_TRUE(over_soft_limit());
    ASSERT_EQ(events_.size(), static_cast<size_t>(crossing));
    EXPECT_EQ(events_.back().kind, LimitKind::kLive);
    EXPECT_EQ(events_.back().node, kNoNode);
    EXPECT_FALSE(events_.back().hard);
    EXPECT_GT(events_.back().value, soft);
    EXPECT_EQ(events_.back().limit, soft);
    free_all();
    EXPECT_FALSE(over_soft_limit());
  }
}

TEST_F(Limits, CrossingOneInPlaceIsToldByTheCallThatCrosses) {
  void* block = take(6 * kMiB);
  ASSERT_TRUE(set_limit(LimitKind::kLive, {live() + MiB(4), {}}));
  blocks_[0] = reallocate(block, 40 * kMiB);
  ASSERT_NE(blocks_[0], nullptr);
  EXPECT_EQ(events_.size(), 1u);
  EXPECT_TRUE(over_soft_limit());
}

TEST_F(Limits, AHardLimitRefusesWithEnomemAndTheHeapGoesOn) {
  const Bytes hard = live() + MiB(20);
  ASSERT_TRUE(set_limit(LimitKind::kLive, {{}, hard}));
  size_t got = 0;
  errno = 0;
  while (take(6 * kMiB) != nullptr) ++got;
  EXPECT_EQ(got, 3u);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_LE(live(), hard);
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_TRUE(events_[0].hard);
  EXPECT_EQ(events_[0].limit, hard);
  EXPECT_NE(take(kMiB), nullptr);  // what fits is served
  free_all();
  errno = 0;
  EXPECT_NE(take(6 * kMiB), nullptr);
  EXPECT_EQ(errno, 0);
}

TEST_F(Limits, AHardLimitHoldsForEveryWayToAllocateAndToGrow) {
  auto* block = static_cast<char*>(take(kMiB));
  auto* large = static_cast<char*>(take(6 * kMiB));
  memset(block, 'b', kMiB);
  memset(large, 'l', 6 * kMiB);
  ASSERT_TRUE(set_limit(LimitKind::kLive, {{}, live() + MiB(2)}));
  EXPECT_EQ(take(9 * kMiB), nullptr);
  EXPECT_EQ(allocate_zeroed(3 * kMiB), nullptr);
  EXPECT_EQ(allocate_aligned(4096, 3 * kMiB), nullptr);
  EXPECT_EQ(allocate_on(Placement::interleaved(), 3 * kMiB), nullptr);
  EXPECT_EQ(reallocate(block, 9 * kMiB), nullptr);
  EXPECT_EQ(reallocate(large, 20 * kMiB), nullptr);
  EXPECT_FALSE(expand_in_place(block, 4 * kMiB));
  EXPECT_FALSE(expand_in_place(large, 20 * kMiB));
  EXPECT_EQ(std::count(block, block + kMiB, 'b'), static_cast<ptrdiff_t>(kMiB));
  EXPECT_EQ(std::count(large, large + 6 * kMiB, 'l'), static_cast<ptrdiff_t>(6 * kMiB));
  std::vector<void*> batch(300000);
  const size_t got = allocate_batch(100, batch);  // 112 bytes each
  EXPECT_GT(got, size_t{10000});
  EXPECT_LT(got, size_t{40000});
  batch.resize(got);
  deallocate_batch(batch);
}

struct Hook {
  std::vector<void*> owned;
  unsigned calls = 0;
  size_t wanted = 0;
  bool always_again = false;
  bool nested_failed = false;
};

bool free_what_is_owned(size_t wanted, void* context) noexcept {
  auto& hook = *static_cast<Hook*>(context);
  ++hook.calls;
  hook.wanted = wanted;
  hook.nested_failed =
      allocate(200 * kMiB) == nullptr;  // refused at once, and the hook is not entered again
  const bool some = !hook.owned.empty();
  for (void* block : hook.owned) deallocate(block);
  hook.owned.clear();
  return some || hook.always_again;
}

TEST_F(Limits, TheReclaimHookFreesAndTheRequestIsTriedAgain) {
  for (size_t size : {6 * kMiB, size_t{100000}, size_t{1000}, size_t{64}}) {
    Hook hook;
    for (size_t bytes = 0; bytes < 12 * kMiB; bytes += size) hook.owned.push_back(allocate(size));
    ASSERT_TRUE(set_limit(LimitKind::kLive, {{}, live() + MiB(1)}));
    set_reclaim_hook(free_what_is_owned, &hook);
    void* block = take(6 * kMiB);
    EXPECT_NE(block, nullptr) << "after blocks of " << size << " were freed";
    EXPECT_EQ(hook.calls, 1u);
    EXPECT_EQ(hook.wanted, 6 * kMiB);
    EXPECT_TRUE(hook.nested_failed);
    set_reclaim_hook(nullptr, nullptr);
    ASSERT_TRUE(set_limit(LimitKind::kLive, {}));
    free_all();
  }
}

TEST_F(Limits, AHookThatHasNothingEndsInARefusal) {
  Hook hook;
  ASSERT_TRUE(set_limit(LimitKind::kLive, {{}, live() + MiB(1)}));
  set_reclaim_hook(free_what_is_owned, &hook);
  EXPECT_EQ(take(6 * kMiB), nullptr);
  EXPECT_EQ(hook.calls, 1u);
  hook.always_again = true;  // one that never learns does not hang its thread
  EXPECT_EQ(take(6 * kMiB), nullptr);
  EXPECT_LT(hook.calls, 100u);
}

TEST_F(Limits, WithoutReclaimFailsAtOnce) {
  Hook hook;
  hook.owned.push_back(allocate(8 * kMiB));
  ASSERT_TRUE(set_limit(LimitKind::kLive, {{}, live() + MiB(1)}));
  set_reclaim_hook(free_what_is_owned, &hook);
  {
    const WithoutReclaim outer;
    { const WithoutReclaim inner; }
    EXPECT_EQ(take(6 * kMiB), nullptr);
    EXPECT_EQ(hook.calls, 0u);
  }
  EXPECT_NE(take(6 * kMiB), nullptr);
  EXPECT_EQ(hook.calls, 1u);
}

TEST_F(Limits, ACallbackThatIsRefusedMemoryItselfIsNotEnteredAgain) {
  static unsigned calls;
  calls = 0;
  set_limit_callback(
      [](const LimitEvent&, void*) noexcept {
        ++calls;
        EXPECT_EQ(allocate(200 * kMiB), nullptr);
      },
      nullptr);
  ASSERT_TRUE(set_limit(LimitKind::kLive, {{}, live() + MiB(1)}));
  EXPECT_EQ(take(6 * kMiB), nullptr);
  EXPECT_EQ(calls, 1u);
}

TEST_F(Limits, ANodesLimitIsItsOwn) {
  const NodeId node = thread_node();
  const bool only_one = tests::statistics().placements == 1;
  const Bytes hard = tests::statistics().placement[0].live + MiB(8);
  ASSERT_TRUE(set_node_limit(node, {hard, hard}));
  EXPECT_EQ(node_limit(node).hard, hard);
  EXPECT_EQ(limit(LimitKind::kLive).hard, Bytes{0});
  void* first = take(6 * kMiB);
  EXPECT_NE(first, nullptr);
  void* second = take(6 * kMiB);
  if (only_one) {
    EXPECT_EQ(second, nullptr);
    ASSERT_FALSE(events_.empty());
    EXPECT_EQ(events_[0].node, node);
  } else if (second != nullptr) {
    EXPECT_NE(home_node(second), node);  // it spilled
  }
}

TEST_F(Limits, RefusesLimitsThatMakeNoSense) {
  const Status crossed = set_limit(LimitKind::kLive, {MiB(2), MiB(1)});
  ASSERT_FALSE(crossed);
  EXPECT_EQ(crossed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(limit(LimitKind::kLive).soft, Bytes{0});
  const Status nowhere = set_node_limit(NodeId{1023}, {MiB(1), MiB(2)});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::kNotFound);
}

TEST_F(Limits, TheResidentSetIsWatchedWhenItIsSampled) {
  const auto touched = [&](size_t bytes) { return memset(take(bytes), 1, bytes); };
  touched(kMiB);
  ASSERT_TRUE(set_limit(LimitKind::kResident, {MiB(1), {}}));  // we are above it already
  alloc::sample_limits();
  EXPECT_TRUE(over_soft_limit());
  ASSERT_TRUE(set_limit(LimitKind::kResident, {{}, MiB(1)}));
  alloc::sample_limits();
  EXPECT_EQ(take(6 * kMiB), nullptr);
  ASSERT_TRUE(set_limit(LimitKind::kResident, {{}, TiB(1)}));
  EXPECT_NE(take(6 * kMiB), nullptr);
}

TEST_F(Limits, TheCgroupIsWatchedWhereThereIsOne) {
  const Status set = set_limit(LimitKind::kCgroup, {Bytes{1}, {}});
  if (!set) {
    EXPECT_EQ(set.error().code, ErrorCode::kNotSupported);
    NH_SKIP(set.error().text);
  }
  alloc::sample_limits();
  EXPECT_TRUE(over_soft_limit());
}

TEST_F(Limits, SeveralThreadsTogetherStayBelowAHardLimit) {
  const Bytes hard = live() + MiB(64);
  ASSERT_TRUE(set_limit(LimitKind::kLive, {{}, hard}));
  set_limit_callback(nullptr, nullptr);
  std::vector<std::vector<void*>> owned(4);
  std::vector<std::thread> threads;
  for (auto& mine : owned) {
    threads.emplace_back([&mine] {
      for (void* block; (block = allocate(10000)) != nullptr;) mine.push_back(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Each thread's total is published by grains, and each may be let in at the same moment.
  EXPECT_GT(live(), hard - MiB(2));
  EXPECT_LT(live(), hard + MiB(1));
  for (const auto& mine : owned) deallocate_batch(mine);
}

NH_OWN_PROCESS(MeetsALimitOfTheEnvironment) {
  NH_CHILD_EXPECT(allocate(9 * kMiB) != nullptr);
  NH_CHILD_EXPECT(allocate(9 * kMiB) == nullptr);
  NH_CHILD_EXPECT(limit(LimitKind::kLive).hard == MiB(16));
  NH_CHILD_EXPECT(limit(LimitKind::kLive).soft == MiB(8));
  NH_CHILD_EXPECT(over_soft_limit());
}

TEST(LimitsOfTheEnvironment, HoldFromTheFirstAllocationOn) {
  const tests::OwnProcess process =
      run_in_own_process("MeetsALimitOfTheEnvironment",
                         {.environment = {"NUMAHEAP_HARD_LIMIT=16M", "NUMAHEAP_SOFT_LIMIT=8MiB"}});
  EXPECT_EQ(process.status, 0) << process.output;
}

}  // namespace
}  // namespace numaheap
