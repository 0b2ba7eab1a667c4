#include "reproduce/report/report.h"

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "reproduce/analysis/claims.h"
#include "reproduce/report/html.h"
#include "reproduce/report/report_sections.h"

namespace mtlprune {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --text: #1d2129; --dim: #5b6470; --back: #ffffff; --card: #f4f6f8; --line: #d5dae0;
  --good: #00694b; --bad: #a8321c; --open: #5b6470; --link: #0060a8; }
@media (prefers-color-scheme: dark) { :root { --text: #e5e8ec; --dim: #a3acb8; --back: #14171b; --card: #1e2329;
  --line: #39414b; --good: #4cc49c; --bad: #f08a70; --open: #a3acb8; --link: #6cb6f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p { margin: .4rem 0; max-width: 62rem; }
a { color: var(--link); }
.small, figcaption, caption { font-size: .86rem; color: var(--dim); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: .8rem; margin: 1rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-left-width: 5px; border-radius: 5px;
  padding: .7rem .9rem; }
.card p { margin: .25rem 0 0; }
.card.supported { border-left-color: var(--good); }
.card.refuted { border-left-color: var(--bad); }
.card.undecided { border-left-color: var(--open); }
.verdict { font-weight: 700; white-space: nowrap; }
.verdict.supported { color: var(--good); }
.verdict.refuted { color: var(--bad); }
.verdict.undecided { color: var(--open); }
.warning { border: 1px solid var(--bad); border-left-width: 5px; border-radius: 5px; padding: .6rem .9rem; }
.scroll { overflow-x: auto; margin: .6rem 0 1rem; }
table { border-collapse: collapse; font-size: .86rem; }
caption { text-align: left; padding: .2rem 0; }
th, td { padding: .28rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid var(--line); white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 5px; padding: .6rem .8rem;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .86rem; }
figure { margin: 1rem 0 1.8rem; }
figure img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 5px; padding: .4rem; }
figcaption { margin-top: .4rem; max-width: 62rem; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } figure, tr, .card { break-inside: avoid; }
  .scroll { overflow: visible; } table { font-size: 7.5pt; } th, td { padding: .15rem .3rem; }
  h2, h3 { break-after: avoid; } }
)css";

std::string page(const ResultTables& tables, const std::vector<Claim>& claims,
                 const std::filesystem::path& results_folder) {
    const std::string name = html_escape(run_field(tables, "name"));
    return fmt::format(
               "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<title>Reproduction: {}</title>\n<style>{}</style>\n</head>\n<body>\n",
               name, kStyle) +
           headline_section(tables, claims) + run_section(tables) + dense_section(tables) +
           blind_section(tables) + figures_section(tables, results_folder) +
           "<h2>The claims in detail</h2>\n" + claims_to_html(claims) + selection_section(tables) +
           configurations_section(tables) + differences_section(tables) +
           rerun_section(tables, results_folder) + "</body>\n</html>\n";
}

}  // namespace

void write_report(const std::filesystem::path& results_folder) {
    const ResultTables tables = read_result_tables(results_folder);
    const std::vector<Claim> claims = judge_claims(tables);
    const std::string html = page(tables, claims, results_folder);
    write_file_atomically(results_folder / "claims.json", claims_to_json(claims).dump(2) + "\n");
    write_file_atomically(results_folder / "report.html", html);
}

}  // namespace mtlprune
