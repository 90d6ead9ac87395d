#include "memory_traffic.hpp"

#include <emmintrin.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace numaheap::numa {

namespace {

constexpr size_t kPiece = 64 << 10;  // between two looks at the flag
constexpr unsigned kStepsAtOnce = 256;

/// Makes the compiler believe that a value is used.
template <class T>
void use(T value) {
  asm volatile("" : : "x"(value));
}

__m128i* quarters(char* line) { return reinterpret_cast<__m128i*>(line); }

__m128i read_line(__m128i sum, char* line) {
  for (size_t i = 0; i < 4; ++i) sum = _mm_add_epi64(sum, _mm_load_si128(quarters(line) + i));
  return sum;
}

void modify_line(char* line) {
  __m128i* first = quarters(line);
  _mm_store_si128(first, _mm_add_epi64(_mm_load_si128(first), _mm_set1_epi64x(1)));
}

void wait(unsigned turns) {
  for (unsigned turn = 0; turn < turns; ++turn) asm volatile("");
}

uint64_t read_piece(char* piece, size_t bytes, unsigned delay) {
  __m128i sum = _mm_setzero_si128();
  for (size_t at = 0; at < bytes; at += 2 * kLineBytes) {
    sum = read_line(sum, piece + at);
    sum = read_line(sum, piece + at + kLineBytes);
    if (delay != 0) wait(delay);
  }
  use(sum);
  return bytes;
}

/// \param every  one of so many lines is modified.
uint64_t modify_piece(char* piece, size_t bytes, size_t every) {
  __m128i sum = _mm_setzero_si128();
  size_t modified = 0;
  for (size_t at = 0; at < bytes; at += kLineBytes) {
    sum = read_line(sum, piece + at);
    if (at / kLineBytes % every != 0) continue;
    modify_line(piece + at);
    ++modified;
  }
  use(sum);
  return bytes + modified * kLineBytes;
}

uint64_t triad_piece(char* a, char* b, char* c, size_t bytes) {
  const __m128d scale = _mm_set1_pd(3);
  for (size_t at = 0; at < bytes; at += sizeof(__m128d)) {
    const __m128d left = _mm_load_pd(reinterpret_cast<const double*>(b + at));
    const __m128d right = _mm_load_pd(reinterpret_cast<const double*>(c + at));
    _mm_stream_pd(reinterpret_cast<double*>(a + at), _mm_add_pd(left, _mm_mul_pd(scale, right)));
  }
  _mm_sfence();
  return 3 * bytes;
}

size_t modified_every(Mix mix) {
  return mix == Mix::kThreeToOne ? 3 : mix == Mix::kTwoToOne ? 2 : 1;
}

}  // namespace

void* make_chain(char* memory, size_t bytes) noexcept {
  const size_t lines = bytes / kLineBytes;
  std::vector<uint32_t> order(lines);
  for (size_t i = 0; i < lines; ++i) order[i] = static_cast<uint32_t>(i);
  // Sattolo's shuffle: one cycle through all. A fixed seed: each run chases the same way.
  uint64_t random = 88172645463325252u;
  for (size_t i = lines - 1; i > 0; --i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    std::swap(order[i], order[random % i]);
  }
  for (size_t i = 0; i < lines; ++i) {
    void* next = memory + order[i] * kLineBytes;
    std::memcpy(memory + i * kLineBytes, &next, sizeof next);
  }
  return memory;
}

uint64_t chase(void* start, const std::atomic<bool>& stop) noexcept {
  uint64_t steps = 0;
  void* at = start;
  do {
    for (unsigned step = 0; step < kStepsAtOnce; ++step) at = *static_cast<void* volatile*>(at);
    steps += kStepsAtOnce;
  } while (!stop.load(std::memory_order_relaxed));
  return steps;
}

uint64_t stream(Mix mix, char* memory, size_t bytes, unsigned delay,
                const std::atomic<bool>& stop) noexcept {
  uint64_t moved = 0;
  // Waiting takes the time that a piece would: a smaller one keeps an eye on the flag.
  const size_t piece = delay > 100 ? kPiece / 64 : kPiece;
  const size_t third = bytes / 3 / kPiece * kPiece;
  const size_t end = mix == Mix::kTriad ? third : bytes;
  if (end == 0) return 0;
  size_t at = 0;
  do {
    const size_t length = std::min(piece, end - at);
    if (mix == Mix::kReads) {
      moved += read_piece(memory + at, length, delay);
    } else if (mix == Mix::kTriad) {
      moved += triad_piece(memory + at, memory + third + at, memory + 2 * third + at, length);
    } else {
      moved += modify_piece(memory + at, length, modified_every(mix));
    }
    at = at + length == end ? 0 : at + length;
  } while (!stop.load(std::memory_order_relaxed));
  return moved;
}

void write_and_read(char* memory, size_t bytes) noexcept {
  const __m128i value = _mm_set1_epi64x(7);
  for (size_t at = 0; at < bytes; at += sizeof value)
    _mm_stream_si128(reinterpret_cast<__m128i*>(memory + at), value);
  _mm_sfence();
  (void)read_piece(memory, bytes, 0);
}

}  // namespace numaheap::numa
