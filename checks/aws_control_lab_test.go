package checks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"warroom/internal/estate"
)

// raw makes a call of a service of moto for which there is no client here.
func (w *motoWorld) raw(method, scope, path string, form url.Values) string {
	req, err := http.NewRequestWithContext(w.ctx, method, w.endpoint+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/"+scope+"/aws4_request, SignedHeaders=host, Signature=00")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != 200 {
		w.t.Fatalf("%s %s: %s\n%.500s", method, path, res.Status, body)
	}
	return string(body)
}

// certificate imports one of its own into ACM.
func (w *motoWorld) certificate(serial int64, name string) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		w.t.Fatal(err)
	}
	out := must[*acm.ImportCertificateOutput](w.t, "import a certificate")(w.services.ACM.ImportCertificate(w.ctx, &acm.ImportCertificateInput{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}))
	return aws.ToString(out.CertificateArn)
}

// The control plane and the edge against moto. It knows neither LookupEvents nor
// GetAuthorizers of HTTP APIs and answers both with a page of HTML and status 500,
// which AWS does not.
func TestLabMotoReadsTheControlPlane(t *testing.T) {
	endpoint := motoEndpoint(t)
	cfg := controlConfig(endpoint)
	cfg.Checks.Timeout = 10 * time.Second
	suffix := strconv.FormatInt(time.Now().UnixNano(), 36)
	cfg.Components[4].Balancer.Balancer = "edge-" + suffix
	set := newSet(t, cfg)
	account, err := set.AWS("main")
	if err != nil {
		t.Fatal(err)
	}
	services, err := account.Services(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &motoWorld{t: t, ctx: changing(t), endpoint: endpoint, services: services, suffix: suffix}
	reading := func(check string) Result { return read(t, probeOf(t, awsProbes(cfg, set, nil), check)) }

	t.Run("listeners", func(t *testing.T) {
		kindIs(t, reading(estate.CheckListeners).Err, estate.Missing)
		subnets := regexp.MustCompile(`<subnetId>(subnet-\w+)</subnetId>`).FindAllStringSubmatch(w.raw("POST", "eu-west-1/ec2", "/", url.Values{"Action": {"DescribeSubnets"}, "Version": {"2016-11-15"}}), 2)
		if len(subnets) < 2 {
			t.Fatal("moto has no subnets")
		}
		balancer := must[*elb.CreateLoadBalancerOutput](t, "create a load balancer")(services.Balancing.CreateLoadBalancer(changing(t), &elb.CreateLoadBalancerInput{
			Name: aws.String("edge-" + suffix), Subnets: []string{subnets[0][1], subnets[1][1]},
		})).LoadBalancers[0]
		first, second := w.certificate(0xabc1, "api.company.com"), w.certificate(0xabc2, "shop.company.com")
		listen := func(protocol elbtypes.ProtocolEnum, port int32, certificates ...elbtypes.Certificate) *string {
			return must[*elb.CreateListenerOutput](t, "create a listener")(services.Balancing.CreateListener(changing(t), &elb.CreateListenerInput{
				LoadBalancerArn: balancer.LoadBalancerArn, Port: aws.Int32(port), Protocol: protocol, Certificates: certificates,
				DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{StatusCode: aws.String("200")}}},
			})).Listeners[0].ListenerArn
		}
		listen(elbtypes.ProtocolEnumHttp, 80)
		tls := listen(elbtypes.ProtocolEnumHttps, 443, elbtypes.Certificate{CertificateArn: &first})
		must[*elb.AddListenerCertificatesOutput](t, "add a certificate")(services.Balancing.AddListenerCertificates(changing(t), &elb.AddListenerCertificatesInput{
			ListenerArn: tls, Certificates: []elbtypes.Certificate{{CertificateArn: &second}},
		}))
		// moto tells a serial in decimal, AWS as bytes in hex.
		for _, of := range []string{"edge-" + suffix, aws.ToString(balancer.LoadBalancerArn)} {
			cfg.Components[4].Balancer.Balancer = of
			got := reading(estate.CheckListeners)
			l, ok := got.Data.(estate.Listeners)
			if !ok || len(l.Listeners) != 1 || l.Listeners[0].Port != 443 || len(l.Listeners[0].Certificates) != 2 {
				t.Fatalf("%s: %+v, %v", of, got.Data, got.Err)
			}
			for i, domain := range []string{"api.company.com", "shop.company.com"} {
				c := l.Listeners[0].Certificates[i]
				if c.Default != (i == 0) || c.Domain != domain || c.Type != "IMPORTED" || c.Eligible || time.Until(c.NotAfter).Round(time.Hour) != 240*time.Hour || c.Failure != "" {
					t.Errorf("%+v", c)
				}
			}
		}
	})
	t.Run("trails", func(t *testing.T) {
		w.raw("PUT", "us-east-1/s3", "/trail-"+suffix, nil)
		name := "trail-" + suffix
		must[*cloudtrail.CreateTrailOutput](t, "create a trail")(services.CloudTrail.CreateTrail(changing(t), &cloudtrail.CreateTrailInput{
			Name: &name, S3BucketName: &name, IsMultiRegionTrail: aws.Bool(true), EnableLogFileValidation: aws.Bool(true),
		}))
		find := func() estate.Trail {
			got := reading(estate.CheckTrails)
			trails, _ := got.Data.(estate.Trails)
			for _, one := range trails.Trails {
				if one.Name == name {
					return one
				}
			}
			t.Fatalf("%+v, %v", got.Data, got.Err)
			return estate.Trail{}
		}
		if one := find(); one.Logging || !one.MultiRegion || !one.Validated || one.Unread != "" {
			t.Errorf("%+v", one)
		}
		must[*cloudtrail.StartLoggingOutput](t, "start logging")(services.CloudTrail.StartLogging(changing(t), &cloudtrail.StartLoggingInput{Name: &name}))
		if one := find(); !one.Logging || one.Management != "all" {
			t.Errorf("%+v", one)
		}
		must[*cloudtrail.DeleteTrailOutput](t, "delete the trail")(services.CloudTrail.DeleteTrail(changing(t), &cloudtrail.DeleteTrailInput{Name: &name}))
	})
	t.Run("authorizers", func(t *testing.T) {
		cfg.Components[3].Gateway.API = "none"
		api := must[*apigatewayv2.CreateApiOutput](t, "create an API")(services.API.CreateApi(changing(t), &apigatewayv2.CreateApiInput{Name: &suffix, ProtocolType: apitypes.ProtocolTypeHttp}))
		cfg.Components[3].Gateway.API = aws.ToString(api.ApiId)
		kindIs(t, reading(estate.CheckAuthorizers).Err, estate.ServerError)
	})
	t.Run("lookups", func(t *testing.T) {
		for _, check := range []string{estate.CheckRotationEvents, estate.CheckChanges} {
			began := time.Now()
			kindIs(t, reading(check).Err, estate.ServerError)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s took %s", check, took)
			}
		}
	})
	t.Run("counts", func(t *testing.T) {
		for _, p := range awsProbes(cfg, set, nil) {
			if p.Key.Check == estate.CheckFailedAuths {
				kindIs(t, read(t, p).Err, map[string]estate.FailureKind{"logins": estate.Missing, "calls": estate.Misconfigure}[p.Key.Item])
			}
		}
	})
}
