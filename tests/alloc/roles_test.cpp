// A roles file applied by one call, and threads that join its roles.

#include "numaheap/roles.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "numaheap.h"
#include "numaheap/alloc.hpp"
#include "numaheap/limits.hpp"

namespace numaheap {
namespace {

class Roles : public testing::Test {
 protected:
  /// \returns the path of a file with that text, which lives as long as the test.
  std::string write(const std::string& text) {
    path_ = testing::TempDir() + "numaheap_roles_" + std::to_string(getpid()) + ".toml";
    std::ofstream(path_) << text;
    return path_;
  }
  void TearDown() override {
    EXPECT_TRUE(apply_roles(write("[roles.default]\n").c_str()).has_value());  // lifts the limits
    std::remove(path_.c_str());
  }

 private:
  std::string path_;
};

int cpus_of_this_thread() {
  cpu_set_t cpus;
  return sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : -1;
}

/// Runs `body` on a thread of its own, so that the test's thread keeps its CPUs.
template <class Body>
void on_a_thread(Body body) {
  std::thread(body).join();
}

TEST_F(Roles, PinsAThreadThatJoinsAndPlacesItsMemory) {
  const std::string node = std::to_string(thread_node().value);
  const std::string path = write(
      "[roles.default]\n[roles.worker]\nwhere = \"core:0.pu:0\"\nmemory = \"node:" + node + "\"\n");
  std::string mistakes;
  ASSERT_TRUE(apply_roles(path.c_str(), &mistakes).has_value()) << mistakes;
  on_a_thread([] {
    ASSERT_TRUE(join_role("worker").has_value());
    EXPECT_EQ(cpus_of_this_thread(), 1);
    void* block = allocate(100);
    EXPECT_EQ(home_node(block), thread_node());
    deallocate(block);
  });
}

TEST_F(Roles, FindsTheRoleOfAThreadByItsName) {
  const std::string path =
      write("[roles.default]\n[roles.bio]\nthreads = [\"bio_*\"]\nwhere = \"core:0.pu:0\"\n");
  ASSERT_TRUE(apply_roles(path.c_str()).has_value());
  on_a_thread([] {
    pthread_setname_np(pthread_self(), "bio_lazy_free");
    ASSERT_TRUE(join_role("").has_value());
    EXPECT_EQ(cpus_of_this_thread(), 1);
  });
}

TEST_F(Roles, SetsTheLeastLimitOfTheRolesOnANodeAndLiftsItWithTheNextFile) {
  const NodeId here = thread_node();
  const std::string memory = "memory = \"node:" + std::to_string(here.value) + "\"\n";
  const std::string path = write("[roles.default]\n[roles.a]\n" + memory +
                                 "soft_limit = \"3GiB\"\nhard_limit = \"4GiB\"\n" + "[roles.b]\n" +
                                 memory + "hard_limit = \"2GiB\"\n[roles.c]\n" + memory);
  std::string mistakes;
  ASSERT_TRUE(apply_roles(path.c_str(), &mistakes).has_value()) << mistakes;
  EXPECT_EQ(node_limit(here).hard, GiB(2));
  EXPECT_EQ(node_limit(here).soft, GiB(2)) << "no soft limit above the hard one";
  ASSERT_TRUE(apply_roles(write("[roles.default]\n").c_str()).has_value());
  EXPECT_EQ(node_limit(here).hard, Bytes{0});
}

TEST_F(Roles, ChangesNothingIfTheFileHasMistakes) {
  ASSERT_TRUE(apply_roles(write("[roles.default]\n[roles.old]\n").c_str()).has_value());
  const std::string path = write("[roles.default]\n[roles.new]\nmemory = \"nowhere\"\n");
  std::string mistakes;
  const Status status = apply_roles(path.c_str(), &mistakes);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(mistakes.find(path + ":3: roles.new.memory"), std::string::npos) << mistakes;
  EXPECT_TRUE(join_role("old").has_value());
  EXPECT_FALSE(join_role("new").has_value());
}

TEST_F(Roles, CutsTheMistakesToTheCallersBuffer) {
  const std::string path = write("[roles.new]\nmemory = \"nowhere\"\n");
  char mistakes[10];
  EXPECT_EQ(nh_apply_roles(path.c_str(), mistakes, sizeof mistakes), NH_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(mistakes), path.substr(0, 9));
  EXPECT_EQ(nh_apply_roles(path.c_str(), nullptr, 0), NH_INVALID_ARGUMENT);
  EXPECT_EQ(nh_join_role("no such role"), NH_NOT_FOUND);
}

}  // namespace
}  // namespace numaheap
