#include "common/memory.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace charrnn {
namespace {

constexpr std::size_t most_free_buffers = 64;
constexpr std::size_t huge_page = std::size_t(2) << 20;

std::mutex guard;  // Python threads may train and sample at the same time
std::multimap<std::size_t, void*>& free_buffers() {
  static auto* buffers = new std::multimap<std::size_t, void*>;  // never destroyed: buffers may outlive it at exit
  return *buffers;
}

void* allocate(std::size_t bytes) {
  bool large = bytes >= 2 * huge_page;
  void* data = std::aligned_alloc(large ? huge_page : 64, bytes);
  if (!data) throw std::bad_alloc();
#if defined(__linux__)
  if (large) madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return data;
}

}  // namespace

Buffer::Buffer(std::size_t bytes) : data_(nullptr), bytes_(0) {
  if (bytes == 0) return;
  {
    std::lock_guard<std::mutex> lock(guard);
    auto& buffers = free_buffers();
    auto found = buffers.lower_bound(bytes);
    if (found != buffers.end() && found->first <= 2 * bytes) {
      bytes_ = found->first;
      data_ = found->second;
      buffers.erase(found);
      return;
    }
  }
  bytes_ = bytes >= 2 * huge_page ? (bytes + huge_page - 1) / huge_page * huge_page : (bytes + 63) / 64 * 64;
  data_ = allocate(bytes_);
}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Buffer::~Buffer() {
  if (!data_) return;
  std::lock_guard<std::mutex> lock(guard);
  auto& buffers = free_buffers();
  if (buffers.size() >= most_free_buffers) {  // shapes have changed: let the smallest go
    std::free(buffers.begin()->second);
    buffers.erase(buffers.begin());
  }
  buffers.emplace(bytes_, data_);
}

void release_free_buffers() {
  std::lock_guard<std::mutex> lock(guard);
  for (auto& [bytes, data] : free_buffers()) std::free(data);
  free_buffers().clear();
}

}  // namespace charrnn
