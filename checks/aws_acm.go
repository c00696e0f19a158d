package checks

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// certificateNames is how many names of one certificate are kept.
const certificateNames = 100

// managed is what ACM says of a certificate. That it cannot say is no failure of
// the balancer's own read: it is kept beside the certificate.
func (b awsBuilder) managed(ctx context.Context, s *clients.AWSServices, arn string, look bool) estate.ManagedCertificate {
	out := estate.ManagedCertificate{ARN: b.client.Text(arn, arnLimit)}
	switch {
	case strings.Contains(arn, ":server-certificate/"):
		out.Failure = "it is one of IAM's: ACM does not know it, and nothing renews it"
		return out
	case !look:
		out.Failure = "there are more certificates than one read looks up"
		return out
	}
	answer, err := s.ACM.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: aws.String(arn)})
	if err == nil && (answer.Certificate == nil || aws.ToString(answer.Certificate.CertificateArn) == "") {
		err = hollow("the certificate's ARN")
	}
	if err != nil {
		f := b.client.Failure(err, "describe certificate "+out.ARN)
		out.Failure = string(f.Kind) + ": " + f.Detail
		return out
	}
	b.certificate(&out, answer.Certificate)
	return out
}

// certificate fills in what ACM says.
func (b awsBuilder) certificate(out *estate.ManagedCertificate, c *acmtypes.CertificateDetail) {
	text := func(s string) string { return b.client.Text(s, nameLimit) }
	out.Domain = b.name(c.DomainName)
	for _, name := range c.SubjectAlternativeNames[:min(len(c.SubjectAlternativeNames), certificateNames)] {
		out.Names = append(out.Names, text(name))
	}
	out.Status, out.Type = text(string(c.Status)), text(string(c.Type))
	out.NotBefore, out.NotAfter = aws.ToTime(c.NotBefore), aws.ToTime(c.NotAfter)
	out.Eligible = c.RenewalEligibility == acmtypes.RenewalEligibilityEligible
	out.Serial = serialHex(b.name(c.Serial))
	reason := string(c.FailureReason)
	if c.Status == acmtypes.CertificateStatusRevoked {
		reason = string(c.RevocationReason)
	}
	if r := c.RenewalSummary; r != nil {
		out.Renewal = text(string(r.RenewalStatus))
		if r.RenewalStatusReason != "" {
			reason = string(r.RenewalStatusReason)
		}
	}
	out.RenewalNote = text(reason)
}

// serialHex is a serial number as certificates read from a handshake have it: hex
// without colons, lower case, no leading zeros.
func serialHex(s string) string {
	return strings.TrimLeft(strings.ToLower(strings.ReplaceAll(s, ":", "")), "0")
}
