// Large buffers that the next window or text uses again. They do not go back to the system in between, which would
// clear every page anew.
#pragma once
#include <cstddef>
#include <cstring>

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

// Makes `buffer` one of `count` zeros, and returns them.
template <class T> T* make_zeros(Buffer& buffer, std::size_t count) {
  buffer = Buffer(count * sizeof(T));
  std::memset(buffer.as<T>(), 0, count * sizeof(T));
  return buffer.as<T>();
}

// Gives all free buffers back to the system.
void release_free_buffers();

}  // namespace charrnn
