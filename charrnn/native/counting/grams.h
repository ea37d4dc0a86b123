// The grams of a text in order. A gram is what stands in the text from one place on: a number of symbols, or fewer
// where a break follows. Grams that begin alike lie side by side, so that one look along them counts all contexts of
// all lengths and what follows them.
//
// A gram is sorted as a word: its first symbols, as many as fit 96 bits, above the place where it begins. So a sort
// moves whole numbers and seldom looks at the text.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

namespace charrnn {

constexpr std::uint16_t text_break = 0;   // what stands where contexts end
constexpr std::uint8_t shared_bits = 31;  // of `SortedGrams::shared`: how many symbols
constexpr std::uint8_t cut_short = 128;   // of `SortedGrams::shared`: a break follows before the gram is complete

class SortedGrams {
 public:
  // The grams of `longest` symbols, each from 1 to `symbols`, of a text (length) that must outlive this. They are there
  // once sort() has said so.
  SortedGrams(const std::uint16_t* text, std::int64_t length, int symbols, int longest, int threads);

  // Sorts about `more` grams more; returns whether all are sorted. It takes 16 bytes of memory for each of them.
  bool sort(int threads, std::int64_t more = 1 << 23);
  // The share of all grams that are sorted, from 0 to 1.
  double done() const { return length() ? (double)begins_[next_cell_] / (double)length() : 1; }

  std::int64_t length() const { return begins_.back(); }  // how many grams there are
  // Where the grams that begin with a symbol begin. Those of the next symbol follow them.
  std::int64_t begin(int symbol) const { return begins_[(std::size_t)symbol << (cell_bits - bits_)]; }
  const std::uint32_t* places() const { return places_.get(); }  // where in the text each gram begins
  // Of each gram: how many symbols it begins with that the one before it begins with, too; and cut_short.
  const std::uint8_t* shared() const { return shared_.get(); }
  // How many symbols gram number `gram` has.
  int symbols_of(std::int64_t gram) const {
    return shared_[gram] & cut_short ? agreement(places_[gram], places_[gram]) : longest_;
  }

 private:
  using Word = unsigned __int128;
  static constexpr int cell_bits = 16, place_bits = 32, text_bits = 128 - place_bits;

  Word pack(std::int64_t place, int count) const;
  template <class Use> void scan(std::int64_t first, std::int64_t last, const Use& use) const;
  void arrange(Word* words, std::int64_t count, int depth, int before, std::int64_t to);
  int agreement(std::int64_t one, std::int64_t other) const;
  void join_cells();

  const std::uint16_t* text_;
  std::int64_t text_length_;
  int longest_, bits_, per_word_;      // symbols of a gram; bits of a symbol; symbols in a word
  int chunks_;                         // parts of the text that are scanned side by side
  int next_cell_ = 0;                  // grams are shared out to cells by their first 16 bits
  std::vector<std::int64_t> begins_;   // (cells + 1) of each cell its first gram
  std::vector<std::uint32_t> starts_;  // (chunks, cells) where a chunk's next gram of each cell goes
  std::unique_ptr<std::uint32_t[]> places_;
  std::unique_ptr<std::uint8_t[]> shared_;
};

}  // namespace charrnn
