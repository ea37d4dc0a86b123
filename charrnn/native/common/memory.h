// Large buffers that are used again by the next window instead of going back to the system, which would clear every
// page anew.
#pragma once
#include <cstddef>

namespace charrnn {

// Aligned to a cache line, contents undefined. Goes back to the store of free buffers when it is destroyed.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes = 0);
  Buffer(Buffer&& other) noexcept : data_(other.data_), bytes_(other.bytes_) { other.data_ = nullptr; }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();
  template <class T> T* as() const { return static_cast<T*>(data_); }

 private:
  void* data_;
  std::size_t bytes_;
};

// Gives all free buffers back to the system.
void release_free_buffers();

}  // namespace charrnn
