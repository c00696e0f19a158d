package awssim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// selfSigned makes a certificate and its key, as PEM.
func selfSigned(t *testing.T, serial int64, from, to time.Time, names ...string) (certificate, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func TestCertificates(t *testing.T) {
	now := time.Now()
	r := newRig(t, unhurried())
	c := acm.NewFromConfig(r.cfg)
	from, to := now.Add(-time.Hour).Truncate(time.Second), now.Add(12*24*time.Hour).Truncate(time.Second)
	certificate, _ := selfSigned(t, 0x0abc12, from, to, "api.company.com", "www.company.com")
	arn := r.AddCertificate(Certificate{PEM: certificate, InUseBy: []string{"lb"}})
	managed := r.AddCertificate(Certificate{Domain: "managed.company.com", NotBefore: from, NotAfter: to, InUseBy: []string{"lb"}, Renewal: "PENDING_VALIDATION", RenewalNote: "CAA_ERROR"})

	d := must(c.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: &arn}))(t).Certificate
	if aws.ToString(d.DomainName) != "api.company.com" || aws.ToString(d.Serial) != "0a:bc:12" || !aws.ToTime(d.NotAfter).Equal(to) || d.Type != acmtypes.CertificateTypeImported ||
		d.RenewalEligibility != acmtypes.RenewalEligibilityIneligible || d.KeyAlgorithm != acmtypes.KeyAlgorithmEcPrime256v1 || !slices.Equal(d.SubjectAlternativeNames, []string{"api.company.com", "www.company.com"}) {
		t.Errorf("imported %+v", d)
	}
	d = must(c.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: &managed}))(t).Certificate
	if d.Status != acmtypes.CertificateStatusIssued || d.RenewalEligibility != acmtypes.RenewalEligibilityEligible || d.RenewalSummary == nil || d.RenewalSummary.RenewalStatusReason != "CAA_ERROR" {
		t.Errorf("managed %+v %+v", d, d.RenewalSummary)
	}
	// AWS lists keys of RSA alone unless others are asked for.
	if n := len(must(c.ListCertificates(t.Context(), &acm.ListCertificatesInput{}))(t).CertificateSummaryList); n != 1 {
		t.Errorf("%d certificates by default, want that with an RSA key", n)
	}
	every := &acmtypes.Filters{KeyTypes: []acmtypes.KeyAlgorithm{"RSA_2048", "EC_prime256v1"}}
	n := 0
	for p := acm.NewListCertificatesPaginator(c, &acm.ListCertificatesInput{Includes: every, MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		n += len(must(p.NextPage(t.Context()))(t).CertificateSummaryList)
	}
	if n != 2 {
		t.Errorf("%d certificates of every key", n)
	}
	if got := must(c.GetCertificate(t.Context(), &acm.GetCertificateInput{CertificateArn: &arn}))(t); aws.ToString(got.Certificate) != string(certificate) {
		t.Error("another certificate came back")
	}

	fresh, key := selfSigned(t, 7, from, to.AddDate(1, 0, 0), "api.company.com")
	_, strange := selfSigned(t, 8, from, to, "api.company.com")
	if _, err := c.ImportCertificate(t.Context(), &acm.ImportCertificateInput{CertificateArn: &arn, Certificate: fresh, PrivateKey: strange}); code(err) != "ValidationException" {
		t.Errorf("a key of another certificate: %v", err)
	}
	if _, err := c.ImportCertificate(t.Context(), &acm.ImportCertificateInput{CertificateArn: &managed, Certificate: fresh, PrivateKey: key}); code(err) != "ValidationException" {
		t.Errorf("over a managed certificate: %v", err)
	}
	must(c.ImportCertificate(t.Context(), &acm.ImportCertificateInput{CertificateArn: &arn, Certificate: fresh, PrivateKey: key}))(t)
	d = must(c.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: &arn}))(t).Certificate
	if aws.ToString(d.Serial) != "07" || !slices.Equal(d.InUseBy, []string{"lb"}) {
		t.Errorf("imported again: %+v", d)
	}
	must(c.AddTagsToCertificate(t.Context(), &acm.AddTagsToCertificateInput{CertificateArn: &arn, Tags: []acmtypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}))(t)
	if tags := must(c.ListTagsForCertificate(t.Context(), &acm.ListTagsForCertificateInput{CertificateArn: &arn}))(t).Tags; len(tags) != 1 || aws.ToString(tags[0].Value) != "b" {
		t.Errorf("tags %+v", tags)
	}
	past, _ := selfSigned(t, 9, from.AddDate(-1, 0, 0), from, "old.company.com")
	ended := r.AddCertificate(Certificate{PEM: past})
	if d := must(c.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: &ended}))(t).Certificate; d.Status != acmtypes.CertificateStatusExpired {
		t.Errorf("after its end: %s", d.Status)
	}
	if _, err := c.DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: aws.String(arn[:len(arn)-4] + "0000")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("unknown: %v", err)
	}
}

func TestBalancers(t *testing.T) {
	r := newRig(t, unhurried())
	c := elb.NewFromConfig(r.cfg)
	var arns []string
	for i := range 5 {
		arns = append(arns, r.AddLoadBalancer(LoadBalancer{
			Name: fmt.Sprintf("lb-%d", i), Subnets: map[string]string{"us-east-1a": "subnet-1"}, Tags: map[string]string{"n": fmt.Sprint(i)},
			Listeners: []LoadListener{{Port: 443, Protocol: "HTTPS", Policy: "P", Certificates: []string{"arn:default", "arn:default", "arn:other"}}, {Port: 80, Protocol: "HTTP", Redirect: "HTTPS"}},
		}))
	}
	n := 0
	for p := elb.NewDescribeLoadBalancersPaginator(c, &elb.DescribeLoadBalancersInput{PageSize: aws.Int32(2)}); p.HasMorePages(); {
		for _, b := range must(p.NextPage(t.Context()))(t).LoadBalancers {
			if n++; b.State.Code != types.LoadBalancerStateEnumActive || b.Type != types.LoadBalancerTypeEnumApplication || len(b.AvailabilityZones) != 1 || aws.ToString(b.DNSName) == "" {
				t.Errorf("%+v", b)
			}
		}
	}
	if n != 5 {
		t.Errorf("%d load balancers", n)
	}
	named := must(c.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{Names: []string{"lb-3"}}))(t).LoadBalancers
	if len(named) != 1 || aws.ToString(named[0].LoadBalancerArn) != arns[3] {
		t.Errorf("by name: %+v", named)
	}
	ls := must(c.DescribeListeners(t.Context(), &elb.DescribeListenersInput{LoadBalancerArn: &arns[3]}))(t).Listeners
	if len(ls) != 2 || aws.ToInt32(ls[0].Port) != 443 || aws.ToString(ls[0].SslPolicy) != "P" || len(ls[0].Certificates) != 1 || ls[0].Certificates[0].IsDefault != nil || ls[1].DefaultActions[0].RedirectConfig == nil {
		t.Fatalf("listeners %+v", ls)
	}
	certs := must(c.DescribeListenerCertificates(t.Context(), &elb.DescribeListenerCertificatesInput{ListenerArn: ls[0].ListenerArn}))(t).Certificates
	if len(certs) != 3 || !aws.ToBool(certs[0].IsDefault) || aws.ToBool(certs[1].IsDefault) || aws.ToString(certs[1].CertificateArn) != "arn:default" {
		t.Errorf("certificates %+v", certs)
	}
	tags := must(c.DescribeTags(t.Context(), &elb.DescribeTagsInput{ResourceArns: arns[3:4]}))(t).TagDescriptions
	if len(tags) != 1 || len(tags[0].Tags) != 1 || aws.ToString(tags[0].Tags[0].Value) != "3" {
		t.Errorf("tags %+v", tags)
	}
	_, err := c.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{Names: []string{"none"}})
	var missing *types.LoadBalancerNotFoundException
	if !errors.As(err, &missing) {
		t.Errorf("none of that name: %v", err)
	}
	_, err = c.DescribeListenerCertificates(t.Context(), &elb.DescribeListenerCertificatesInput{ListenerArn: aws.String("arn:none")})
	var noListener *types.ListenerNotFoundException
	if !errors.As(err, &noListener) {
		t.Errorf("no such listener: %v", err)
	}
	if _, err := c.DescribeListeners(t.Context(), &elb.DescribeListenersInput{}); code(err) != "ValidationError" {
		t.Errorf("listeners of nothing: %v", err)
	}
	r.Deny(testKey, Permission{Action: "elasticloadbalancing:DescribeListeners"})
	if _, err := c.DescribeListeners(t.Context(), &elb.DescribeListenersInput{LoadBalancerArn: &arns[0]}); code(err) != "AccessDenied" {
		t.Errorf("denied: %v", err)
	}
}

// TestDescribeBucket: what only describes a load balancer shares a bucket of 40.
func TestDescribeBucket(t *testing.T) {
	pace := &clock{t: time.Now()}
	r := newRig(t, func(o *Options) { o.Pace = pace.now })
	c := elb.NewFromConfig(r.cfg)
	arn := r.AddLoadBalancer(LoadBalancer{Name: "lb"})
	call := func() error {
		_, err := c.DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{})
		return err
	}
	for i := range 39 {
		if err := call(); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if _, err := c.DescribeTags(t.Context(), &elb.DescribeTagsInput{ResourceArns: []string{arn}}); err != nil {
		t.Fatal(err)
	}
	if err := call(); code(err) != "Throttling" {
		t.Errorf("the 41st: %v", err)
	}
	pace.add(100 * time.Millisecond)
	if err := call(); err != nil {
		t.Errorf("a tenth of a second later: %v", err)
	}
}

func TestAPIs(t *testing.T) {
	r := newRig(t, unhurried())
	r.AddAPI(API{ID: "a1b2c3d4e5", Name: "edge", Authorizers: []Authorizer{
		{Name: "clients", Type: "JWT", Issuer: "https://issuer", Audience: []string{"aud"}}, {Name: "function", Type: "REQUEST", Function: "arn:aws:lambda:us-east-1:123456789012:function:f"},
	}})
	r.AddAPI(API{ID: "r1e2s3t4a5", Name: "old", Protocol: "REST", Authorizers: []Authorizer{{Name: "pool", Type: "COGNITO_USER_POOLS", Pools: []string{"arn:pool"}}}})
	v2, v1 := apigatewayv2.NewFromConfig(r.cfg), apigateway.NewFromConfig(r.cfg)
	list := must(v2.GetApis(t.Context(), nil))(t).Items
	if len(list) != 1 || aws.ToString(list[0].ApiId) != "a1b2c3d4e5" || list[0].CreatedDate == nil {
		t.Errorf("APIs %+v", list)
	}
	if got := must(v2.GetApi(t.Context(), &apigatewayv2.GetApiInput{ApiId: aws.String("a1b2c3d4e5")}))(t); got.ProtocolType != "HTTP" || aws.ToString(got.Name) != "edge" {
		t.Errorf("API %+v", got)
	}
	page := must(v2.GetAuthorizers(t.Context(), &apigatewayv2.GetAuthorizersInput{ApiId: aws.String("a1b2c3d4e5"), MaxResults: aws.String("1")}))(t)
	if len(page.Items) != 1 || page.NextToken == nil || aws.ToString(page.Items[0].JwtConfiguration.Issuer) != "https://issuer" || !slices.Equal(page.Items[0].JwtConfiguration.Audience, []string{"aud"}) {
		t.Fatalf("first page %+v", page)
	}
	page = must(v2.GetAuthorizers(t.Context(), &apigatewayv2.GetAuthorizersInput{ApiId: aws.String("a1b2c3d4e5"), NextToken: page.NextToken}))(t)
	if len(page.Items) != 1 || page.NextToken != nil || aws.ToString(page.Items[0].AuthorizerUri) == "" {
		t.Fatalf("second page %+v", page)
	}
	one := must(v2.GetAuthorizer(t.Context(), &apigatewayv2.GetAuthorizerInput{ApiId: aws.String("a1b2c3d4e5"), AuthorizerId: page.Items[0].AuthorizerId}))(t)
	if one.AuthorizerType != "REQUEST" {
		t.Errorf("authorizer %+v", one)
	}
	rest := must(v1.GetRestApis(t.Context(), &apigateway.GetRestApisInput{}))(t).Items
	if len(rest) != 1 || aws.ToString(rest[0].Id) != "r1e2s3t4a5" || rest[0].CreatedDate == nil {
		t.Errorf("REST APIs %+v", rest)
	}
	old := must(v1.GetAuthorizers(t.Context(), &apigateway.GetAuthorizersInput{RestApiId: aws.String("r1e2s3t4a5")}))(t).Items
	if len(old) != 1 || old[0].Type != "COGNITO_USER_POOLS" || !slices.Equal(old[0].ProviderARNs, []string{"arn:pool"}) {
		t.Errorf("authorizers of the REST API %+v", old)
	}
	if got := must(v1.GetAuthorizer(t.Context(), &apigateway.GetAuthorizerInput{RestApiId: aws.String("r1e2s3t4a5"), AuthorizerId: old[0].Id}))(t); aws.ToString(got.Name) != "pool" {
		t.Errorf("authorizer %+v", got)
	}
	if got := must(v1.GetRestApi(t.Context(), &apigateway.GetRestApiInput{RestApiId: aws.String("r1e2s3t4a5")}))(t); aws.ToString(got.Name) != "old" {
		t.Errorf("REST API %+v", got)
	}
	// A REST API is none of version 2.
	_, err := v2.GetAuthorizers(t.Context(), &apigatewayv2.GetAuthorizersInput{ApiId: aws.String("r1e2s3t4a5")})
	var answer *awshttp.ResponseError
	if code(err) != "NotFoundException" || !errors.As(err, &answer) || answer.HTTPStatusCode() != http.StatusNotFound {
		t.Errorf("a REST API asked for as another: %v", err)
	}
	r.Deny(testKey, Permission{Action: "apigateway:GET", Resource: "arn:aws:apigateway:us-east-1::/apis/a1b2c3d4e5/authorizers"})
	if _, err := v2.GetAuthorizers(t.Context(), &apigatewayv2.GetAuthorizersInput{ApiId: aws.String("a1b2c3d4e5")}); code(err) != "AccessDeniedException" {
		t.Errorf("denied: %v", err)
	}
	if _, err := v2.GetApis(t.Context(), nil); err != nil {
		t.Errorf("what is not denied: %v", err)
	}
}
