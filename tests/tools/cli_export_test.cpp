// `numaheap export`: what a scraper, a browser and somebody with bad intentions get.
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "exporter.hpp"
#include "http_client.hpp"
#include "published.hpp"
#include "skip.hpp"

namespace numaheap::tests {
namespace {

constexpr char kOpenMetrics[] = "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(NumaheapExport, ServesBothTextFormatsOfMetrics) {
  const Published process;
  const Exporter exporter(process.pid());
  const Response plain = request(exporter.port(), "/metrics");
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(plain.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_EQ(plain.header("Content-Length"), std::to_string(plain.body.size()));
  EXPECT_TRUE(contains(plain.body, "\nredis_memory_used_bytes "));
  EXPECT_TRUE(contains(plain.body, "\nnumaheap_class_live_blocks{"));
  EXPECT_FALSE(contains(plain.body, "\nnumaheap_thread_flow_bytes")) << "a series for each thread";
  EXPECT_FALSE(contains(plain.body, "# EOF"));
  const Response open = request(exporter.port(), "/metrics", kOpenMetrics);
  EXPECT_EQ(open.header("Content-Type"),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(open.body.ends_with("# EOF\n"));
}

TEST(NumaheapExport, ServesEverythingAsJson) {
  const Published process;
  const Exporter exporter(process.pid());
  const Response response = request(exporter.port(), "/json");
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  const auto json = nlohmann::json::parse(response.body);
  EXPECT_FALSE(json["samples"].empty());
}

TEST(NumaheapExport, ServesTheHeapMapAndItsPage) {
  const Published process(Variables{{"NUMAHEAP_BACKGROUND", "on"}});
  const Exporter exporter(process.pid());
  const Response page = request(exporter.port(), "/");
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_TRUE(contains(page.body, "<title>numaheap: heap map</title>"));
  EXPECT_TRUE(page.body.ends_with("</html>\n"));
  Response map;
  EXPECT_TRUE(wait_until([&] { return (map = request(exporter.port(), "/map")).status != 503; }));
  EXPECT_EQ(map.status, 200);
  uint64_t used = 0;
  const auto json = nlohmann::json::parse(map.body);
  for (const auto& range : json["ranges"]) {
    const uint64_t cell = range["cell_bytes"];
    EXPECT_EQ(range["used"].size(), range["block_bytes"].size());
    EXPECT_LE(range["used"].size() * cell, range["opened"].get<uint64_t>());
    for (const uint64_t share : range["used"]) used += share * cell / 255;
  }
  EXPECT_GE(used, 100u * 100'000);
  EXPECT_LT(used, 100u * 400'000);
}

TEST(NumaheapExport, PromtoolFindsNoFault) {
  if (!find_program("promtool")) NH_SKIP("needs promtool (Debian package prometheus)");
  const Published process;
  const Exporter exporter(process.pid());
  const Finished checked =
      run({"promtool", "check", "metrics"}, {}, request(exporter.port(), "/metrics").body);
  EXPECT_EQ(checked.status, 0) << checked.err;
  EXPECT_EQ(checked.err, "");
}

TEST(NumaheapExport, PrometheusScrapesItWithoutRelabelling) {
  if (!find_program("prometheus")) NH_SKIP("needs prometheus (Debian package prometheus)");
  const Published process;
  const Exporter exporter(process.pid());
  const TemporaryDirectory directory;
  const unsigned port = free_port();
  write_file(directory / "prometheus.yml",
             "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: numaheap\n"
             "  static_configs: [{targets: ['127.0.0.1:" +
                 std::to_string(exporter.port()) + "']}]\n");
  const ChildProcess prometheus({"prometheus", "--config.file=" + (directory / "prometheus.yml"),
                                 "--storage.tsdb.path=" + (directory / "data"),
                                 "--web.listen-address=127.0.0.1:" + std::to_string(port)},
                                {}, directory / "log");
  double used = 0;
  EXPECT_TRUE(wait_until([&] {
    try {
      const auto answer = nlohmann::json::parse(
          request(port, "/api/v1/query?query=redis_memory_used_bytes", "Connection: close\r\n")
              .body,
          nullptr, false);
      const auto result = answer.value("/data/result"_json_pointer, nlohmann::json::array());
      if (result.empty()) return false;
      used = std::stod(result[0]["value"][1].get<std::string>());
      return true;
    } catch (const std::exception&) {
      return false;  // it does not listen yet
    }
  })) << prometheus.log();
  EXPECT_GE(used, 100 * 100'000);
  EXPECT_LT(used, 100 * 200'000);
}

TEST(NumaheapExport, AnswersThousandsOfRequests) {
  const Published process;
  Exporter exporter(process.pid());
  for (int i = 0; i < 2000; ++i)
    ASSERT_EQ(request(exporter.port(), i % 2 == 0 ? "/metrics" : "/json").status, 200) << i;
  EXPECT_EQ(exporter.stop(), 0);
}

TEST(NumaheapExport, HalfRequestsHoldNobodyUp) {
  const Published process;
  Exporter exporter(process.pid());
  std::vector<std::unique_ptr<Connection>> half;
  for (int i = 0; i < 40; ++i) {
    half.push_back(std::make_unique<Connection>(exporter.port()));
    half.back()->send("GET /metrics HTTP/1.1\r\nHost:");
  }
  EXPECT_EQ(request(exporter.port(), "/metrics").status, 200);
  EXPECT_EQ(exporter.stop(), 0);
}

TEST(NumaheapExport, RefusesWhatIsNoRequestForAPage) {
  const Published process;
  const Exporter exporter(process.pid());
  for (const char* path : {"/gurk", "/metrics/", "/../metrics/../../etc/passwd",
                           "/%2e%2e/etc/passwd", "/metrics%2f"}) {
    const Response response = request(exporter.port(), path);
    EXPECT_TRUE(response.status == 404 || response.status == 400) << path << response.status;
    EXPECT_FALSE(contains(response.body, "root:")) << path;
  }
  EXPECT_EQ(request(exporter.port(), "/metrics", "Content-Length: 0\r\n", "POST").status, 405);
  EXPECT_EQ(request(exporter.port(), "/metrics", "Content-Length: 0\r\n", "DELETE").status, 405);
  EXPECT_NE(request(exporter.port(), "/" + std::string(100'000, 'a')).status, 200);
  Connection noise(exporter.port());
  noise.send(std::string("\x16\x03\x01\0\xff\n\n\r\n\r\n", 11));
  EXPECT_FALSE(contains(noise.receive(), " 200 "));
  EXPECT_EQ(request(exporter.port(), "/metrics?collect[]=all").status, 200);
}

TEST(NumaheapExport, HeadHasTheHeadersAndNoBody) {
  const Published process;
  const Exporter exporter(process.pid());
  const Response head = request(exporter.port(), "/metrics", "", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_GT(std::stoul(head.header("Content-Length")), 1000u);
  EXPECT_EQ(head.body, "");
}

TEST(NumaheapExport, SaysWhenTheProcessHasEnded) {
  Published process;
  Exporter stays(process.pid());
  Exporter goes(process.pid(), "--exit-with-process");
  EXPECT_EQ(request(stays.port(), "/metrics").status, 200);
  const std::string who = process.pid();
  process.stop();
  const Response ended = request(stays.port(), "/metrics");
  EXPECT_EQ(ended.status, 503);
  EXPECT_EQ(ended.body, "process " + who + ": the process has ended\n");
  EXPECT_TRUE(wait_until([&] { return !goes.is_running(); }));
  EXPECT_TRUE(contains(goes.log(), "process " + who + " has ended\n")) << goes.log();
  EXPECT_EQ(goes.stop(), 0);
  EXPECT_EQ(stays.stop(), 0);
}

TEST(NumaheapExport, SigintEndsItWithStatusZero) {
  const Published process;
  Exporter exporter(process.pid());
  kill(exporter.id(), SIGINT);
  EXPECT_TRUE(wait_until([&] { return !exporter.is_running(); }));
  EXPECT_EQ(exporter.stop(), 0);
}

TEST(NumaheapExport, RefusesWhereItCannotListenAndWhomItCannotSee) {
  const auto refusal = [](const Command& arguments, int status) {
    Command command = {NUMAHEAP_COMMAND, "export"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Finished finished = run(command);
    EXPECT_EQ(finished.status, status) << finished.err;
    EXPECT_EQ(finished.out, "");
    return finished.err;
  };
  const Published process;
  const Exporter exporter(process.pid());
  const std::string port = std::to_string(exporter.port());
  EXPECT_TRUE(contains(refusal({process.pid(), "--port", port}, 125),
                       "127.0.0.1:" + port + " is in use by another program"));
  EXPECT_TRUE(contains(refusal({process.pid(), "--port", "65536"}, 2), "--port"));
  EXPECT_TRUE(contains(refusal({process.pid(), "--port", "http"}, 2), "--port"));
  EXPECT_TRUE(contains(refusal({process.pid(), "--listen", "gurk"}, 2), "\"gurk\" is no address"));
  EXPECT_TRUE(contains(refusal({process.pid(), "--listen", "192.0.2.1"}, 2), "no such address"));
  EXPECT_TRUE(contains(refusal({"4194303"}, 2), "there is no such process"));
  EXPECT_TRUE(contains(refusal({"no such name"}, 2), "there is no process of the name"));
  EXPECT_TRUE(contains(refusal({}, 2), "PROCESS is required"));
}

}  // namespace
}  // namespace numaheap::tests
