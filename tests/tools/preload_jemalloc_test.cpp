/// \file
/// jemalloc's interface under the preload object, as a program that was built for jemalloc calls it. Runs with
/// LD_PRELOAD set; the functions are found by name, as the program does not link jemalloc.

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

// Weak: without the preload object the program starts all the same, and fails.
extern "C" {
[[gnu::weak]] void* mallocx(size_t size, int flags);
[[gnu::weak]] void* rallocx(void* block, size_t size, int flags);
[[gnu::weak]] size_t xallocx(void* block, size_t size, size_t extra, int flags);
[[gnu::weak]] size_t sallocx(const void* block, int flags);
[[gnu::weak]] void dallocx(void* block, int flags);
[[gnu::weak]] void sdallocx(void* block, size_t size, int flags);
[[gnu::weak]] size_t nallocx(size_t size, int flags);
[[gnu::weak]] int mallctl(const char* name, void* old_value, size_t* old_size, void* new_value,
                          size_t new_size);
[[gnu::weak]] int mallctlnametomib(const char* name, size_t* mib, size_t* mib_length);
[[gnu::weak]] int mallctlbymib(const size_t* mib, size_t mib_length, void* old_value,
                               size_t* old_size, void* new_value, size_t new_size);
[[gnu::weak]] void malloc_stats_print(void (*write)(void*, const char*), void* context,
                                      const char* options);
}

namespace {

constexpr int kZero = 0x40;
constexpr int kNoCache = 1 << 8;      // MALLOCX_TCACHE_NONE
constexpr int kThirdArena = 3 << 20;  // MALLOCX_ARENA(2)
constexpr int lg_align(int lg) { return lg; }

template <class T>
T read(const std::string& name) {
  T value{};
  size_t size = sizeof value;
  EXPECT_EQ(mallctl(name.c_str(), &value, &size, nullptr, 0), 0) << name;
  EXPECT_EQ(size, sizeof value) << name;
  return value;
}

int write_only(const char* name) { return mallctl(name, nullptr, nullptr, nullptr, 0); }

void refresh() {
  uint64_t epoch = 1;
  size_t size = sizeof epoch;
  ASSERT_EQ(mallctl("epoch", &epoch, &size, &epoch, sizeof epoch), 0);
}

bool is_filled(const void* block, char byte, size_t from, size_t to) {
  for (size_t i = from; i < to; ++i) {
    if (static_cast<const char*>(block)[i] != byte) return false;
  }
  return true;
}

TEST(PreloadJemalloc, IsAnsweredByThePreloadObject) {
  ASSERT_NE(mallctl, nullptr);
  EXPECT_EQ(std::string(read<const char*>("version")).find("5.3.0-numaheap-"), 0u);
}

TEST(PreloadJemalloc, NallocxSaysWhatMallocxGives) {
  for (size_t size = 1; size < 12 << 20; size += size / 7 + 1) {
    for (const int lg : {0, 3, 4, 6, 9, 12, 13, 16}) {
      void* block = mallocx(size, lg_align(lg));
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % (size_t{1} << lg), 0u);
      EXPECT_EQ(nallocx(size, lg_align(lg)), sallocx(block, 0)) << size << " at 2^" << lg;
      EXPECT_EQ(sallocx(block, 0), malloc_usable_size(block));
      sdallocx(block, size, lg_align(lg));
    }
  }
  EXPECT_EQ(nallocx(SIZE_MAX, 0), 0u);
  EXPECT_EQ(mallocx(SIZE_MAX / 2 + 2, 0), nullptr);
}

TEST(PreloadJemalloc, ArenaAndCacheFlagsAreIgnored) {
  void* block = mallocx(1000, kNoCache | kThirdArena);
  ASSERT_NE(block, nullptr);
  block = rallocx(block, 5000, kNoCache | kThirdArena);
  ASSERT_NE(block, nullptr);
  dallocx(block, kNoCache | kThirdArena);
}

TEST(PreloadJemalloc, ZeroReachesTheEndOfTheBlock) {
  for (const size_t size : {1u, 100u, 20000u, 5u << 20}) {
    void* dirty = mallocx(size, 0);
    memset(dirty, 0xee, sallocx(dirty, 0));
    dallocx(dirty, 0);
    for (const int lg : {0, 8}) {
      void* block = mallocx(size, kZero | lg_align(lg));
      EXPECT_TRUE(is_filled(block, 0, 0, sallocx(block, 0))) << size;
      dallocx(block, 0);
    }
  }
}

TEST(PreloadJemalloc, RallocxKeepsContentsAlignmentAndZeros) {
  void* block = mallocx(100, kZero | lg_align(6));
  const size_t old_usable = sallocx(block, 0);
  memset(block, 1, 100);
  for (const size_t size : {100u, 500u, 20000u, 6u << 20, 50u}) {
    block = rallocx(block, size, kZero | lg_align(6));
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
    EXPECT_TRUE(is_filled(block, 1, 0, std::min<size_t>(size, 100)));
    if (size > old_usable) {
      EXPECT_TRUE(is_filled(block, 0, 100, sallocx(block, 0)));
    }
  }
  dallocx(block, 0);
}

TEST(PreloadJemalloc, XallocxSaysTheSizeAfterAndNeverMoves) {
  void* block = mallocx(6 << 20, 0);
  memset(block, 1, sallocx(block, 0));
  const size_t before = sallocx(block, 0);
  const size_t after = xallocx(block, 7 << 20, 1 << 20, kZero);
  EXPECT_EQ(after, sallocx(block, 0));
  EXPECT_TRUE(is_filled(block, 1, 0, before));
  EXPECT_TRUE(is_filled(block, 0, before, after));
  EXPECT_EQ(xallocx(block, after, SIZE_MAX, 0), sallocx(block, 0));
  dallocx(block, 0);
  void* small = mallocx(100, 0);
  EXPECT_EQ(xallocx(small, 200, 0, 0), 112u);
  dallocx(small, 0);
}

TEST(PreloadJemalloc, FiguresFollowWhatIsAllocated) {
  refresh();
  const size_t before = read<size_t>("stats.allocated");
  constexpr size_t kBytes = 64 << 20;
  void* block = mallocx(kBytes, 0);
  memset(block, 1, kBytes);
  EXPECT_EQ(read<size_t>("stats.allocated"), before);  // until the next epoch
  refresh();
  EXPECT_GE(read<size_t>("stats.allocated"), before + kBytes);
  EXPECT_GE(read<size_t>("stats.active"), read<size_t>("stats.allocated"));
  EXPECT_GE(read<size_t>("stats.resident"), read<size_t>("stats.active"));
  EXPECT_GE(read<size_t>("stats.mapped"), read<size_t>("stats.active"));
  EXPECT_GT(read<size_t>("stats.metadata"), 0u);
  EXPECT_EQ(read<size_t>("stats.arenas.4096.small.allocated") +
                read<size_t>("stats.arenas.4096.large.allocated"),
            read<size_t>("stats.allocated"));
  dallocx(block, 0);
}

TEST(PreloadJemalloc, ArenasAddUpToTheirSum) {
  refresh();
  const auto arenas = read<unsigned>("arenas.narenas");
  ASSERT_GE(arenas, 1u);
  size_t active = 0;
  for (unsigned i = 0; i < arenas; ++i)
    active += read<size_t>("stats.arenas." + std::to_string(i) + ".pactive");
  EXPECT_EQ(active, read<size_t>("stats.arenas.4096.pactive"));
  EXPECT_EQ(active * read<size_t>("arenas.page"), read<size_t>("stats.active"));
}

TEST(PreloadJemalloc, BinsTellTheFragmentationThatRedisComputes) {
  std::vector<void*> blocks(10000);
  for (void*& block : blocks) block = mallocx(160, 0);
  for (size_t i = 0; i < blocks.size(); i += 2) dallocx(blocks[i], 0);
  ASSERT_EQ(write_only("thread.tcache.flush"), 0);
  ASSERT_EQ(write_only("arena.4096.purge"), 0);
  refresh();
  const auto bins = read<unsigned>("arenas.nbins");
  EXPECT_EQ(bins, 36u);
  size_t waste = 0;
  for (unsigned bin = 0; bin < bins; ++bin) {
    const std::string of_bin = "arenas.bin." + std::to_string(bin);
    const std::string in_all = "stats.arenas.4096.bins." + std::to_string(bin);
    const auto regions = read<uint32_t>(of_bin + ".nregs");
    EXPECT_LE(regions * read<size_t>(of_bin + ".size"), read<size_t>(of_bin + ".slab_size"));
    const size_t slots = read<size_t>(in_all + ".curslabs") * regions;
    ASSERT_GE(slots, read<size_t>(in_all + ".curregs"));
    EXPECT_LE(read<size_t>(in_all + ".nonfull_slabs"), read<size_t>(in_all + ".curslabs"));
    if (read<size_t>(of_bin + ".size") == 160)
      waste = (slots - read<size_t>(in_all + ".curregs")) * 160;
  }
  EXPECT_GE(waste, 4000u * 160);  // every second block is a hole, but for what caches still hold
  for (size_t i = 1; i < blocks.size(); i += 2) dallocx(blocks[i], 0);
}

TEST(PreloadJemalloc, PurgeGivesPagesBack) {
  void* block = mallocx(64 << 20, 0);
  memset(block, 1, 64 << 20);
  dallocx(block, 0);
  const unsigned legacy_all = read<unsigned>("arenas.narenas");  // as Redis does
  ASSERT_EQ(write_only(("arena." + std::to_string(legacy_all) + ".purge").c_str()), 0);
  refresh();
  EXPECT_LT(read<size_t>("stats.arenas.4096.pdirty") * 4096, size_t{16} << 20);
  EXPECT_EQ(write_only("arena.0.decay"), 0);
  EXPECT_EQ(write_only("arena.999.purge"), ENOENT);
}

TEST(PreloadJemalloc, MibsAreForQuestionsThatAreAskedOften) {
  size_t mib[4];
  size_t length = 4;
  ASSERT_EQ(mallctlnametomib("arenas.bin.0.size", mib, &length), 0);
  ASSERT_EQ(length, 4u);
  EXPECT_EQ(mib[2], 0u);
  for (size_t bin = 0; bin < read<unsigned>("arenas.nbins"); ++bin) {
    mib[2] = bin;
    size_t value = 0;
    size_t size = sizeof value;
    ASSERT_EQ(mallctlbymib(mib, length, &value, &size, nullptr, 0), 0);
    EXPECT_EQ(value, read<size_t>("arenas.bin." + std::to_string(bin) + ".size"));
  }
  mib[2] = 36;
  EXPECT_EQ(mallctlbymib(mib, length, nullptr, nullptr, nullptr, 0), ENOENT);
  EXPECT_EQ(mallctlbymib(mib, 3, nullptr, nullptr, nullptr, 0), ENOENT);
  mib[0] = 999;
  EXPECT_EQ(mallctlbymib(mib, length, nullptr, nullptr, nullptr, 0), ENOENT);
}

TEST(PreloadJemalloc, APartOfAMibCanBeCompleted) {
  size_t whole[4], part[4];
  size_t whole_length = 4, part_length = 3;
  ASSERT_EQ(mallctlnametomib("arenas.bin.7.nregs", whole, &whole_length), 0);
  ASSERT_EQ(mallctlnametomib("arenas.bin.7.nregs", part, &part_length), 0);
  EXPECT_EQ(part_length, 3u);
  EXPECT_EQ(memcmp(whole, part, sizeof part[0] * 3), 0);
}

TEST(PreloadJemalloc, UnknownNamesAreRefused) {
  for (const char* name :
       {"", "no", "stats", "stats.", "stats.allocated.", "stats.allocated.x", "arenas.bin.x.size",
        "arenas.bin.-1.size", "arenas.bin.99999999999999999999.size", "arenas.bin.36.size",
        "arenas.bin..size", "stats.arenas.0.bins.0.curregs.more", "thread.allocated", "prof.active",
        "stats.arenas.77.pactive"}) {
    EXPECT_EQ(mallctl(name, nullptr, nullptr, nullptr, 0), ENOENT) << name;
    size_t mib[9];
    size_t length = 9;
    if (strstr(name, ".36.") == nullptr && strstr(name, ".77.") == nullptr) {
      EXPECT_EQ(mallctlnametomib(name, mib, &length), ENOENT) << name;
    }
  }
}

TEST(PreloadJemalloc, WrongSizesAndWritesAreRefused) {
  size_t value = 0;
  uint32_t narrow = 0xffffffff;
  size_t size = sizeof narrow;
  EXPECT_EQ(mallctl("stats.allocated", &narrow, &size, nullptr, 0), EINVAL);
  EXPECT_EQ(size, sizeof narrow);
  size = sizeof value;
  EXPECT_EQ(mallctl("stats.allocated", &value, &size, &value, sizeof value), EPERM);
  EXPECT_EQ(mallctl("version", nullptr, nullptr, &value, sizeof value), EPERM);
  EXPECT_EQ(mallctl("arena.0.purge", &value, &size, nullptr, 0), EPERM);
  EXPECT_EQ(mallctl("epoch", nullptr, nullptr, &narrow, sizeof narrow), EINVAL);
  EXPECT_EQ(mallctl("stats.allocated", nullptr, nullptr, nullptr, 0), 0);
}

TEST(PreloadJemalloc, SettingsThatCannotChangeTakeTheirOwnValueOnly) {
  bool on = true, off = false;
  EXPECT_EQ(mallctl("background_thread", nullptr, nullptr, &off, sizeof off), 0);
  EXPECT_EQ(mallctl("background_thread", nullptr, nullptr, &on, sizeof on), EFAULT);
  EXPECT_FALSE(read<bool>("background_thread"));
  EXPECT_EQ(mallctl("thread.tcache.enabled", nullptr, nullptr, &on, sizeof on), 0);
  EXPECT_EQ(mallctl("thread.tcache.enabled", nullptr, nullptr, &off, sizeof off), EFAULT);
  ssize_t decay = 10000;
  EXPECT_EQ(read<ssize_t>("arena.0.dirty_decay_ms"), decay);
  EXPECT_EQ(read<ssize_t>("opt.dirty_decay_ms"), decay);
  EXPECT_EQ(mallctl("arenas.dirty_decay_ms", nullptr, nullptr, &decay, sizeof decay), 0);
  decay = 5;
  EXPECT_EQ(mallctl("arenas.dirty_decay_ms", nullptr, nullptr, &decay, sizeof decay), EFAULT);
}

TEST(PreloadJemalloc, LookupNamesTheArenaOfAnAddress) {
  void* block = mallocx(100, 0);
  unsigned arena = ~0u;
  size_t size = sizeof arena;
  EXPECT_EQ(mallctl("arenas.lookup", &arena, &size, &block, sizeof block), 0);
  EXPECT_EQ(arena, read<unsigned>("thread.arena"));
  void* foreign = &arena;
  EXPECT_EQ(mallctl("arenas.lookup", &arena, &size, &foreign, sizeof foreign), EINVAL);
  dallocx(block, 0);
}

std::string stats_text(const char* options) {
  std::string text;
  malloc_stats_print(
      [](void* context, const char* piece) { *static_cast<std::string*>(context) += piece; }, &text,
      options);
  return text;
}

TEST(PreloadJemalloc, StatsPrintTellsPeopleAboutEachPlacement) {
  const std::string text = stats_text(nullptr);
  EXPECT_EQ(text.find("___ Begin numaheap statistics ___\n"), 0u);
  EXPECT_NE(text.find("\nnode 0 "), std::string::npos);
  EXPECT_NE(text.find("\nbins:"), std::string::npos);
  EXPECT_EQ(text.substr(text.size() - 32), "--- End numaheap statistics ---\n");
  EXPECT_EQ(stats_text("b").find("\nbins:"), std::string::npos);
}

TEST(PreloadJemalloc, StatsPrintWritesJsonUnderJemallocsKeys) {
  const auto json = nlohmann::json::parse(stats_text("J"));
  EXPECT_EQ(json["jemalloc"]["arenas"]["nbins"], 36);
  EXPECT_EQ(json["jemalloc"]["arenas"]["bin"].size(), 36u);
  EXPECT_EQ(json["jemalloc"]["arenas"]["lextent"].size(), 196u);
  EXPECT_EQ(json["jemalloc"]["stats"]["allocated"], read<size_t>("stats.allocated"));
  EXPECT_EQ(json["jemalloc"]["stats.arenas"]["merged"]["bins"].size(), 36u);
  const auto arenas = read<unsigned>("arenas.narenas");
  EXPECT_EQ(json["jemalloc"]["stats.arenas"].size(), arenas + 1);
  EXPECT_EQ(nlohmann::json::parse(stats_text("Jgmab"))["jemalloc"]["stats.arenas"].size(), 0u);
}

}  // namespace
