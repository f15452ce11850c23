#include "report.h"

bool fct_report_write(const struct fct_report *report, FILE *out) {
    switch (report->options->output) {
    case FCT_OUTPUT_TABLE: return fct_report_write_table(report, out);
    case FCT_OUTPUT_JSON: return fct_report_write_json(report, out);
    case FCT_OUTPUT_CSV: return fct_report_write_csv(report, out);
    }
    return false;
}
