// Aligned scratch memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "kernels/table.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace elman {

// Large arrays stand on large pages where the system has them: fewer faults when they are new, fewer misses
// of the page tables after.
constexpr std::align_val_t huge_page{std::size_t{1} << 21};

inline void advise_huge_pages(void* data, std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  (void)madvise(data, bytes / static_cast<std::size_t>(huge_page) * static_cast<std::size_t>(huge_page),
                MADV_HUGEPAGE);  // a wish, that may fail
#else
  (void)data, (void)bytes;
#endif
}

// An uninitialized array that starts on a 64-byte boundary and can be read 64 bytes past its end: kernels
// load whole vectors.
template <class Value> class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Index n) { reserve(n); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { release(); }

  // At least n elements; what was there is lost when it grows.
  Value* reserve(Index n) {
    if (n > capacity_) {
      release();
      const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(Value) + 64;
      data_ = static_cast<Value*>(::operator new(bytes, alignment(n)));
      if (alignment(n) == huge_page) advise_huge_pages(data_, bytes);
      std::memset(reinterpret_cast<char*>(data_) + bytes - 64, 0, 64);
      capacity_ = n;
    }
    return data_;
  }
  Value* zeros(Index n) {
    reserve(n);
    if (n > 0) std::memset(static_cast<void*>(data_), 0, static_cast<std::size_t>(n) * sizeof(Value));
    return data_;
  }
  Value* data() const { return data_; }
  Value& operator[](Index i) const { return data_[i]; }
  Index capacity() const { return capacity_; }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
  }
  void release() {
    if (data_) ::operator delete(static_cast<void*>(data_), alignment(capacity_));
    data_ = nullptr;
    capacity_ = 0;
  }
  static std::align_val_t alignment(Index n) {
    return static_cast<std::size_t>(n) * sizeof(Value) < 2 * static_cast<std::size_t>(huge_page)
               ? std::align_val_t{64}
               : huge_page;
  }
  Value* data_ = nullptr;
  Index capacity_ = 0;
};

}  // namespace elman
