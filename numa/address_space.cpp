#include "numaheap/numa/address_space.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bit>

#include "kernel_file.hpp"
#include "numaheap/numa/machine.hpp"
#include "policy.hpp"
#include "system_error.hpp"
#include "thread_affinity.hpp"

// Defined where the program is built with ThreadSanitizer, whether or not this library is.
extern "C" void __tsan_init() __attribute__((weak));  // NOLINT(readability-identifier-naming)

namespace numaheap::numa {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kMostUnderTsan = size_t{256}
                                  << 30;  // a TiB in one piece is what it can just not place
constexpr size_t kLargestSpan = size_t{1} << 46;
constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, Linux 5.14

constexpr uintptr_t round_up(uintptr_t n, size_t unit) { return (n + unit - 1) & ~(unit - 1); }
constexpr uintptr_t round_down(uintptr_t n, size_t unit) { return n & ~(unit - 1); }

void* pointer(uintptr_t address) noexcept { return reinterpret_cast<void*>(address); }

uintptr_t map_inaccessible(size_t bytes) noexcept {
  void* start = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return 0;
  madvise(start, bytes,
          MADV_DONTDUMP);  // or a core dump walks terabytes; refused, it is merely slow
  return reinterpret_cast<uintptr_t>(start);
}

bool make_usable(uintptr_t start, size_t bytes) noexcept {
  if (mprotect(pointer(start), bytes, PROT_READ | PROT_WRITE) != 0) return false;
  madvise(pointer(start), bytes, MADV_DODUMP);
  return true;
}

/// The most address space that a reservation may take.
size_t address_space_left() noexcept {
  size_t left = __tsan_init != nullptr ? kMostUnderTsan : ~size_t{0};
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return left;
  unsigned mapped_pages = 0;
  KernelFile statm("/proc/self/statm");
  if (!statm.next_number(mapped_pages)) mapped_pages = 0;
  const size_t mapped = mapped_pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t half = limit.rlim_cur > mapped ? (limit.rlim_cur - mapped) / 2 : 0;
  return half < left ? half : left;
}

bool overcommit_is_strict() noexcept {
  unsigned mode = 0;
  return KernelFile("/proc/sys/vm/overcommit_memory").next_number(mode) && mode == 2;
}

bool machine_has_one_node() noexcept {
  unsigned nodes = 0;
  KernelFile online(Path(kNodeDirectory).add("/online").c_str());
  return !read_id_list(online, kMaxNodes, [&](unsigned) { ++nodes; }) || nodes <= 1;
}

bool is_valid(const RangeSpec& spec) noexcept {
  return spec.placing == Placing::kNode ? spec.node.value < kMaxNodes : !spec.nodes.empty();
}

bool is_valid(const AddressSpaceOptions& options) noexcept {
  return std::has_single_bit(options.span.value) && options.span.value <= kLargestSpan &&
         std::has_single_bit(options.smallest_span.value) &&
         options.smallest_span.value >= kHugePage && options.open_step.value != 0 &&
         options.open_step.value % kPage == 0;
}

}  // namespace

Status AddressSpace::reserve(const RangeSpec* specs, unsigned count, unsigned side_bytes_per_page,
                             const AddressSpaceOptions& options) noexcept {
  const KeepErrno keep_errno;
  if (count == 0 || count > kMaxRanges) {
    return Error{ErrorCode::kInvalidArgument, 0, "an address space has 1 to 66 ranges"};
  }
  for (unsigned range = 0; range < count; ++range) {
    if (!is_valid(specs[range])) {
      return Error{ErrorCode::kInvalidArgument, 0,
                   "a range needs a node below 1024 or a set that is not empty"};
    }
  }
  if (!is_valid(options)) {
    return Error{ErrorCode::kInvalidArgument, 0,
                 "spans are powers of two from 2 MiB to 64 TiB, the step is a multiple of 4 KiB"};
  }

  count_ = count;
  side_bytes_per_page_ = side_bytes_per_page;
  open_step_ = options.open_step.value;
  strict_overcommit_ = overcommit_is_strict();
  const auto smallest_shift = static_cast<unsigned>(std::countr_zero(options.smallest_span.value));
  auto shift = static_cast<unsigned>(std::countr_zero(options.span.value));
  const size_t left = address_space_left();
  while (shift >= smallest_shift && !map(shift, left)) --shift;
  if (shift < smallest_shift) {
    count_ = 0;
    return Error{ErrorCode::kNoMemory, ENOMEM, "not even the smallest ranges can be reserved"};
  }

  const bool not_needed = machine_has_one_node() && !options.place_single_node;
  for (unsigned range = 0; range < count_; ++range) {
    Range& r = ranges_[range];
    r.spec = specs[range];
    Placed placed;
    if (!not_needed) {
      placed = place(range_start(range), span().value, r.spec, options.try_mbind);
      const Piece side = side_piece(range, span().value);
      if (side.bytes != 0) bind_as(placed.rung, side.start, side.bytes, r.spec);
    }
    r.rung = placed.rung;
    r.refused_errno = placed.refused_errno;
    r.opened.store(0, std::memory_order_relaxed);
  }
  return Unit{};
}

bool AddressSpace::map(unsigned span_shift, size_t most) noexcept {
  span_shift_ = span_shift;
  const size_t ranges = size_t{count_} << span_shift;
  const size_t side = side_bytes();
  const size_t wanted = ranges + kHugePage;
  if (wanted + side > most) return false;
  const uintptr_t start = map_inaccessible(wanted);
  if (start == 0) return false;
  side_ = nullptr;
  if (side != 0) {
    const uintptr_t side_start = map_inaccessible(side);
    if (side_start == 0) {
      munmap(pointer(start), wanted);
      return false;
    }
    side_ = static_cast<char*>(pointer(side_start));
  }
  base_ = round_up(start, kHugePage);
  if (base_ != start) munmap(pointer(start), base_ - start);
  const uintptr_t end = base_ + ranges;
  munmap(pointer(end), start + wanted - end);
  return true;
}

void AddressSpace::release() noexcept {
  if (count_ == 0) return;
  const KeepErrno keep_errno;
  munmap(pointer(base_), size_t{count_} << span_shift_);
  if (side_ != nullptr) munmap(side_, side_bytes());
  base_ = 0;
  side_ = nullptr;
  count_ = 0;
}

size_t AddressSpace::side_bytes() const noexcept {
  return round_up(((size_t{count_} << span_shift_) / kPage) * side_bytes_per_page_, kPage);
}

AddressSpace::Piece AddressSpace::side_piece(unsigned range, size_t bytes) const noexcept {
  const size_t first = ((size_t{range} << span_shift_) / kPage) * side_bytes_per_page_;
  const size_t end = first + (bytes / kPage) * side_bytes_per_page_;
  const uintptr_t side = reinterpret_cast<uintptr_t>(side_);
  return {round_down(side + first, kPage),
          round_up(side + end, kPage) - round_down(side + first, kPage)};
}

Status AddressSpace::open(unsigned range, Bytes bytes) noexcept {
  const KeepErrno keep_errno;
  Range& r = ranges_[range];
  const size_t opened =
      r.opened.load(std::memory_order_relaxed);  // relaxed: only the caller writes it now
  if (bytes.value <= opened) return Unit{};
  if (bytes.value > span().value) return Error{ErrorCode::kNoMemory, ENOMEM, "the range is full"};
  const size_t steps = (bytes.value + open_step_ - 1) / open_step_;
  const size_t wanted = steps * open_step_ < span().value ? steps * open_step_ : span().value;
  // The side table first: what it has too much after a refusal is opened again by the next call.
  const Piece side = side_piece(range, wanted);
  if ((side.bytes != 0 && !make_usable(side.start, side.bytes)) ||
      !make_usable(range_start(range) + opened, wanted - opened)) {
    return system_error(errno, "the kernel refuses to make more of a range usable");
  }
  // release: pairs with the acquire in opened(); who sees the prefix may use it.
  r.opened.store(wanted, std::memory_order_release);
  return Unit{};
}

Bytes AddressSpace::opened(unsigned range) const noexcept {
  return Bytes{
      ranges_[range].opened.load(std::memory_order_acquire)};  // acquire: pairs with open()
}

bool AddressSpace::needs_populate(unsigned range) const noexcept {
  return ranges_[range].rung == PolicyRung::kPinnedPopulate;
}

Status AddressSpace::populate(unsigned range, uintptr_t start, Bytes bytes) noexcept {
  if (!needs_populate(range)) return Unit{};
  const KeepErrno keep_errno;
  const PinnedToNode pinned(ranges_[range].spec.node);
  if (pinned.error() != 0) {
    return system_error(pinned.error(), "the thread cannot run on the node to populate its memory");
  }
  int refused = 0;
  do {
    refused = madvise(pointer(start), bytes.value, kPopulateWrite) == 0 ? 0 : errno;
  } while (refused == EINTR || refused == EAGAIN);
  if (refused == EINVAL || refused == ENOSYS) {  // before Linux 5.14
    for (uintptr_t page = start; page < start + bytes.value; page += kPage) {
      auto* byte = static_cast<volatile char*>(pointer(page));
      *byte = *byte;
    }
    refused = 0;
  }
  if (refused != 0) return system_error(refused, "the kernel refuses to populate memory");
  return Unit{};
}

Status AddressSpace::give_back(unsigned range, uintptr_t start, Bytes bytes) noexcept {
  const KeepErrno keep_errno;
  if (!strict_overcommit_) {
    if (madvise(pointer(start), bytes.value, MADV_DONTNEED) == 0) return Unit{};
    return Error{ErrorCode::kSystem, errno,
                 "the kernel keeps pages that were to be given back (locked?)"};
  }
  // Only a new mapping returns the charge, and a mapping has no policy at first: so it is made and
  // bound elsewhere, and takes the place of the old one in one step. Until that succeeds nothing is
  // lost.
  const uintptr_t fresh = map_inaccessible(bytes.value);
  int refused =
      fresh == 0 ? errno : bind_as(ranges_[range].rung, fresh, bytes.value, ranges_[range].spec);
  if (refused == 0) {
    void* moved = mremap(pointer(fresh), bytes.value, bytes.value, MREMAP_MAYMOVE | MREMAP_FIXED,
                         pointer(start));
    if (moved != MAP_FAILED) return Unit{};
    refused = errno;
  }
  if (fresh != 0) munmap(pointer(fresh), bytes.value);
  // Under a cpuset that excludes the node by now it has no policy: the charge stays, but the pages go.
  if (refused == EINVAL && madvise(pointer(start), bytes.value, MADV_DONTNEED) == 0) return Unit{};
  return system_error(refused, "the kernel refuses the new mapping that would return the charge");
}

Status AddressSpace::reopen(unsigned, uintptr_t start, Bytes bytes) noexcept {
  if (!strict_overcommit_) return Unit{};
  const KeepErrno keep_errno;
  if (make_usable(start, bytes.value)) return Unit{};
  return system_error(errno, "the kernel refuses to make a piece usable again");
}

Status AddressSpace::advise_huge_pages(uintptr_t start, Bytes bytes, bool on) noexcept {
  const KeepErrno keep_errno;
  if (madvise(pointer(start), bytes.value, on ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) == 0)
    return Unit{};
  if (errno == EINVAL)
    return Error{ErrorCode::kNotSupported, EINVAL, "the kernel has no transparent huge pages"};
  return system_error(errno, "the kernel refuses advice on huge pages");
}

}  // namespace numaheap::numa
