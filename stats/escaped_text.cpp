#include "escaped_text.hpp"

namespace numaheap::stats {

namespace {

using std::string_view;

/// The length of the UTF-8 character at the front, 0 if there is none (RFC 3629: no surrogates, none in a longer form
/// than needed, none beyond U+10FFFF).
size_t character_length(string_view text) noexcept {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !continues(1)) return 0;
  if (first < 0xE0) return 2;
  const unsigned second = byte(1);
  if (!continues(2)) return 0;
  if (first < 0xF0) {
    const bool too_long = first == 0xE0 && second < 0xA0;
    const bool surrogate = first == 0xED && second > 0x9F;
    return too_long || surrogate ? 0 : 3;
  }
  const bool too_long = first == 0xF0 && second < 0x90;
  const bool too_large = first == 0xF4 && second > 0x8F;
  return too_long || too_large || !continues(3) ? 0 : 4;
}

/// What stands for an ASCII character; itself where nothing has to.
void write_ascii(TextWriter& out, char c, Escaping escaping) noexcept {
  const bool json = escaping == Escaping::kJson;
  const bool line = escaping == Escaping::kLine;
  if (c == '\\' && !line) {
    out.text("\\\\");
  } else if (c == '"' && !line && escaping != Escaping::kHelp) {
    out.text("\\\"");
  } else if (c == '\n' && !line) {
    out.text("\\n");
  } else if (static_cast<unsigned char>(c) < 0x20 && json) {
    constexpr string_view kDigits = "0123456789abcdef";
    const auto code = static_cast<unsigned char>(c);
    out.text("\\u00").text(kDigits.substr(code / 16, 1)).text(kDigits.substr(code % 16, 1));
  } else if ((static_cast<unsigned char>(c) < 0x20 || c == 0x7F) && !json) {
    out.text("?");
  } else {
    out.text({&c, 1});
  }
}

}  // namespace

void write_escaped(TextWriter& out, string_view text, Escaping escaping) noexcept {
  while (!text.empty()) {
    const size_t length = character_length(text);
    if (length == 0) {
      out.text("\xEF\xBF\xBD");
      text.remove_prefix(1);
    } else if (length == 1) {
      write_ascii(out, text[0], escaping);
      text.remove_prefix(1);
    } else {
      out.text(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
}

}  // namespace numaheap::stats
