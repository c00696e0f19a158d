// Package report words what is known for people and programs who are not at the
// console: the result of warroom check as JSON, CSV and plain text.
//
// Its rules: it is pure; every JSON document names its schema, and a field once
// published keeps its name, type and meaning (a change is a new version of the
// schema). docs/check-json.md describes them.
package report
