/* The report as a JSON value: the one list of its fields, in the order in which JSON and CSV show them. */
#ifndef FCT_REPORT_JSON_H
#define FCT_REPORT_JSON_H

#include "report.h"

#include <json-c/json.h>

/*
 * A new reference; NULL without memory. Objects are nested at most once and hold strings, numbers, booleans and nulls, and
 * lists, which CSV has no room for.
 */
struct json_object *fct_report_to_json(const struct fct_report *report);

#endif
