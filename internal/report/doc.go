// Package report words what is known for people and programs who are not at the
// console: the result of warroom check as JSON, CSV and plain text, and the report
// of an incident as Markdown, HTML and JSON.
//
// Its rules: it is pure; every JSON document names its schema, and a field once
// published keeps its name, type and meaning (a change is a new version of the
// schema). docs/check-json.md and docs/report.md describe them. The renderings of
// an incident are made of one model, so that none says what another does not; what
// people and systems wrote is text in each of them and never markup.
package report
