#include "counting/grams.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "common/threads.h"

namespace charrnn {
namespace {

constexpr int cells = 1 << 16;

// Zeros above the highest bit that is set.
int leading_zeros(unsigned __int128 bits) {
  const auto high = (std::uint64_t)(bits >> 64);
  return high ? std::countl_zero(high) : 64 + std::countl_zero((std::uint64_t)bits);
}

}  // namespace

SortedGrams::SortedGrams(const std::uint16_t* text, std::int64_t length, int symbols, int longest, int threads)
    : text_(text),
      text_length_(length),
      longest_(longest),
      bits_(std::bit_width((unsigned)symbols)),
      per_word_(std::min(longest, text_bits / bits_)),
      chunks_(threads),
      begins_(cells + 1),
      starts_((std::size_t)threads * cells) {
  run(threads, [&](Team& team) {
    for (int chunk = team.index; chunk < chunks_; chunk += team.count) {
      std::uint32_t* counts = starts_.data() + (std::size_t)chunk * cells;
      scan(length * chunk / chunks_, length * (chunk + 1) / chunks_,
           [&](std::int64_t, Word word) { ++counts[(std::uint32_t)(word >> (128 - cell_bits))]; });
    }
  });
  std::int64_t next = 0;
  for (int cell = 0; cell < cells; ++cell) {
    begins_[cell] = next;
    for (int chunk = 0; chunk < chunks_; ++chunk) {
      std::uint32_t& start = starts_[(std::size_t)chunk * cells + cell];
      const std::uint32_t count = start;
      start = (std::uint32_t)next;
      next += count;
    }
  }
  begins_[cells] = next;
  places_ = std::make_unique_for_overwrite<std::uint32_t[]>((std::size_t)next);
  shared_ = std::make_unique_for_overwrite<std::uint8_t[]>((std::size_t)next);
}

// Calls use(place, word) for every gram that begins from `first` to before `last`, the last one first: so each word is
// made of the one before. It has no place yet.
template <class Use> void SortedGrams::scan(std::int64_t first, std::int64_t last, const Use& use) const {
  const Word kept = ~(Word)0 << (128 - per_word_ * bits_);
  Word word = 0;
  auto read = [&](std::int64_t place) {
    const Word symbol = text_[place];
    word = symbol == text_break ? 0 : word >> bits_ | symbol << (128 - bits_);
    return symbol != text_break;
  };
  for (std::int64_t place = std::min(text_length_, last + longest_); place > last; --place) read(place - 1);
  for (std::int64_t place = last - 1; place >= first; --place)
    if (read(place)) use(place, word & kept);
}

// The word of `count` symbols from `place` on, or up to a break, without the place.
SortedGrams::Word SortedGrams::pack(std::int64_t place, int count) const {
  Word word = 0;
  const std::int64_t end = std::min(text_length_, place + count);
  for (int shift = 128 - bits_; place < end && text_[place] != text_break; ++place, shift -= bits_)
    word |= (Word)text_[place] << shift;
  return word;
}

// How many symbols two places begin with alike, of a gram's and before a break.
int SortedGrams::agreement(std::int64_t one, std::int64_t other) const {
  const int most = (int)std::min<std::int64_t>(longest_, text_length_ - std::max(one, other));
  int count = 0;
  while (count < most && text_[one + count] == text_[other + count] && text_[one + count] != text_break) ++count;
  return count;
}

bool SortedGrams::sort(int threads, std::int64_t more) {
  const int first = next_cell_;
  int last = first;
  while (last < cells && (last == first || begins_[last + 1] - begins_[first] <= more)) ++last;
  if (first == last) return true;
  const std::int64_t base = begins_[first];
  const auto words = std::make_unique_for_overwrite<Word[]>((std::size_t)(begins_[last] - base));
  std::atomic<int> next{first};
  run(threads, [&](Team& team) {
    for (int chunk = team.index; chunk < chunks_; chunk += team.count) {
      std::uint32_t* starts = starts_.data() + (std::size_t)chunk * cells;
      scan(text_length_ * chunk / chunks_, text_length_ * (chunk + 1) / chunks_, [&](std::int64_t place, Word word) {
        const int cell = (int)(word >> (128 - cell_bits));
        if (cell >= first && cell < last) words[starts[cell]++ - base] = word | (Word)place;
      });
    }
    team.wait();
    for (int cell; (cell = next.fetch_add(1, std::memory_order_relaxed)) < last;)
      arrange(words.get() + (begins_[cell] - base), begins_[cell + 1] - begins_[cell], 0, 0, begins_[cell]);
  });
  next_cell_ = last;
  if (last < cells) return false;
  join_cells();
  return true;
}

// Sorts grams that are alike in their first `depth` symbols by those that follow, which `words` hold. They become grams
// number `to` and so on; the first of them shares `before` symbols with the gram before it.
void SortedGrams::arrange(Word* words, std::int64_t count, int depth, int before, std::int64_t to) {
  const int here = std::min(per_word_, longest_ - depth);  // symbols in these words
  const int unused = 128 - here * bits_;
  std::sort(words, words + count);
  Word previous = 0;
  for (std::int64_t first = 0; first < count;) {
    const Word word = words[first] >> place_bits;
    std::int64_t last = first + 1;
    while (last < count && words[last] >> place_bits == word) ++last;
    int length = here;  // of this word, in symbols
    while (length > 0 && (words[first] >> (unused + (here - length) * bits_) & ((1 << bits_) - 1)) == text_break)
      --length;
    if (first > 0) before = depth + leading_zeros((word ^ previous) << place_bits) / bits_;
    if (length == here && depth + here < longest_) {
      for (std::int64_t i = first; i < last; ++i) {
        const auto place = (std::uint32_t)words[i];
        words[i] = pack((std::int64_t)place + depth + here, std::min(per_word_, longest_ - depth - here)) | place;
      }
      arrange(words + first, last - first, depth + here, before, to + first);
    } else {
      const bool cut = length < here;
      for (std::int64_t i = first; i < last; ++i) {
        places_[to + i] = (std::uint32_t)words[i];
        shared_[to + i] = (std::uint8_t)((i == first ? before : depth + length) | (cut ? cut_short : 0));
      }
    }
    previous = word;
    first = last;
  }
}

// Where one cell follows another, tells how many symbols the two grams share.
void SortedGrams::join_cells() {
  for (int cell = 1; cell < cells; ++cell) {
    const std::int64_t gram = begins_[cell];
    if (gram == 0 || gram == begins_[cell + 1]) continue;
    const std::uint8_t flag = shared_[gram] & cut_short;
    shared_[gram] = (std::uint8_t)(agreement(places_[gram - 1], places_[gram]) | flag);
  }
}

}  // namespace charrnn
