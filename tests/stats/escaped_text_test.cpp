#include "stats/escaped_text.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace numaheap::stats {
namespace {

std::string escaped(std::string_view text, Escaping escaping) {
  TextWriter counting(nullptr, 0);
  write_escaped(counting, text, escaping);
  std::string result(counting.length(), '#');
  TextWriter out(result.data(), result.size() + 1);
  write_escaped(out, text, escaping);
  return result;
}

TEST(EscapedText, QuotesWhatEachFormatAsksFor) {
  const std::string text = "a\"b\\c\nd\te";
  EXPECT_EQ(escaped(text, Escaping::kJson), "a\\\"b\\\\c\\nd\\u0009e");
  EXPECT_EQ(escaped(text, Escaping::kOpenMetrics), "a\\\"b\\\\c\\nd?e");
  EXPECT_EQ(escaped(text, Escaping::kHelp), "a\"b\\\\c\\nd?e");
  EXPECT_EQ(escaped(text, Escaping::kLine), "a\"b\\c?d?e");
}

TEST(EscapedText, KeepsUtf8AndReplacesWhatIsNone) {
  const std::string good = "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80";
  EXPECT_EQ(escaped(good, Escaping::kJson), good);
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped("\xFF", Escaping::kJson), replaced);
  EXPECT_EQ(escaped("\xC3", Escaping::kLine), replaced) << "cut off in a character";
  EXPECT_EQ(escaped("\xC0\xAF", Escaping::kJson), replaced + replaced) << "longer than needed";
  EXPECT_EQ(escaped("\xED\xA0\x80", Escaping::kJson), replaced + replaced + replaced)
      << "half of a surrogate pair";
  EXPECT_EQ(escaped("\xF4\x90\x80\x80", Escaping::kJson).substr(0, 3), replaced)
      << "beyond Unicode";
}

TEST(EscapedText, AnyBytesMakeAJsonString) {
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string bytes(random() % 12, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const std::string json = '"' + escaped(bytes, Escaping::kJson) + '"';
    ASSERT_TRUE(nlohmann::json::accept(json)) << json;
  }
}

}  // namespace
}  // namespace numaheap::stats
