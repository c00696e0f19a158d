// Package awssim is an in-process AWS endpoint for the drill: Secrets Manager,
// Lambda, KMS, STS, IAM, CloudWatch, CloudWatch Logs, CloudTrail, ACM, elbv2 and
// API Gateway behind one http.Handler, in the wire protocols that the real SDKs
// and the real aws command line speak.
//
// Its rules. Requests are authenticated (Signature Version 4) and authorised
// per principal and action; every refusal has the shape and the words of the
// service it comes from. Secrets Manager keeps AWS's invariants: a staging
// label sits on at most one version, AWSCURRENT is never lost, the request
// token is the version id and makes writes idempotent, a rotation that is
// stuck refuses the next one. What changes something is recorded, and CloudTrail
// tells of it minutes later; of reads it keeps no record. What is not simulated answers with that
// service's own error for an unknown operation, never with something made up.
// Everything follows from the seed, the clock and the calls made; nothing is
// random and nothing leaves the process.
package awssim
