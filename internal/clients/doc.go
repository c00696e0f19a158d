// Package clients holds the connections to the systems of an estate, each made
// once, lazily, from warroom.yaml: AWS accounts, PostgreSQL servers, HTTP and TLS
// endpoints, Vault and Kubernetes clusters.
//
// Its rules:
//
//   - Making a Set opens nothing and asks nothing, so the console starts with
//     every system down. A connection that failed is tried again at its next use.
//   - Every answer is bounded in size and every request in time and pace: we are
//     one more caller in the middle of somebody's outage.
//   - What a system says is remote text. Nothing of it is kept that was not
//     stripped of control sequences (Strip) and scrubbed of the secret values we
//     have read (Set.Text).
//   - An error leaves this package as an *estate.Failure made by Classify, or as
//     one that Classify can read: which kind of failure it is decides whether the
//     target is failing or we merely cannot see it.
//   - Every call passes Around. One that changes something needs a permit in its
//     context, or it fails before anything is sent; it is sent once, and what came
//     of one that was lost is for the caller to find out by looking.
//   - A secret's value exists only inside estate.Secret, and is made known to the
//     Set's redact.Net before anybody else gets it.
package clients
