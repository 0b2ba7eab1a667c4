#include "base/text_file.h"

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_content.h"

namespace mtlprune {

std::string read_text(const std::filesystem::path& path, const std::string& subject) {
    constexpr const char* kByteOrderMark = "\xef\xbb\xbf";
    std::string text = read_file(path, subject);
    if (is_stand_in(text))
        throw Error(subject, path.string(), "a text file",
                    content_text({text.data(), text.size()}, static_cast<int64_t>(text.size())));
    if (text.starts_with(kByteOrderMark)) text.erase(0, 3);
    return text;
}

}  // namespace mtlprune
