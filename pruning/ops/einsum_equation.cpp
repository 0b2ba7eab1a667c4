#include "pruning/ops/einsum_equation.h"

#include <algorithm>
#include <map>

namespace mtlprune {
namespace {

/// Letters of one side of an einsum's equation. An ellipsis stands for the axes that the letters leave of
/// `rank`, which are counted from the last.
class EinsumLetters {
  public:
    Letters read(const std::string& text, size_t rank) {
        const bool has_ellipsis = text.find("...") != std::string::npos;
        const size_t named = text.size() - (has_ellipsis ? 3 : 0);
        Letters letters;
        for (size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '.') {
                letters.push_back(number(text[i]));
                continue;
            }
            for (size_t axis = rank - named; axis > 0; --axis)
                letters.push_back(number(-static_cast<int>(axis)));
            i += 2;
        }
        return letters;
    }
    /// Axes that all ellipses together have.
    size_t ellipsis_rank() const {
        return numbers_.empty() ? 0 : static_cast<size_t>(std::max(0, -numbers_.begin()->first));
    }

  private:
    int number(int key) { return numbers_.emplace(key, static_cast<int>(numbers_.size())).first->second; }
    std::map<int, int> numbers_;
};

/// What an equation without "->" gives: the ellipsis, then the letters that occur once, in alphabetical
/// order.
std::string implied_output(const std::string& inputs) {
    std::string output = inputs.find('.') != std::string::npos ? "..." : "";
    for (char letter = 'A'; letter <= 'z'; ++letter)
        if (std::count(inputs.begin(), inputs.end(), letter) == 1) output += letter;
    return output;
}

}  // namespace

EinsumEquation parse_einsum(std::string text, const std::vector<size_t>& ranks) {
    std::erase(text, ' ');
    const auto arrow = text.find("->");
    const auto inputs = text.substr(0, arrow);
    const auto output = arrow == std::string::npos ? implied_output(inputs) : text.substr(arrow + 2);
    EinsumEquation equation;
    EinsumLetters letters;
    size_t start = 0;
    for (const size_t rank : ranks) {
        const size_t end = std::min(inputs.find(',', start), inputs.size());
        equation.operands.push_back(letters.read(inputs.substr(start, end - start), rank));
        start = end + 1;
    }
    const size_t named = output.size() - (output.find('.') != std::string::npos ? 3 : 0);
    equation.out = letters.read(output, named + letters.ellipsis_rank());
    return equation;
}

}  // namespace mtlprune
