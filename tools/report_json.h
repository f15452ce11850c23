/* The report as a JSON value: the one list of its fields, in the order in which JSON and CSV show them. */
#ifndef FCT_REPORT_JSON_H
#define FCT_REPORT_JSON_H

#include "report.h"

#include <jansson.h>

/*
 * A new reference; NULL without memory. Objects are nested at most once and hold strings, numbers, booleans and nulls, and
 * lists, which CSV has no room for.
 */
json_t *fct_report_to_json(const struct fct_report *report);

/* How numbers are written that are no integers: 9 digits are enough for every purpose, for the exact value there are two integers. */
#define FCT_REAL_FORM JSON_REAL_PRECISION(9)

#endif
