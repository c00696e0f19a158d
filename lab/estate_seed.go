package lab

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

const (
	// estateRegion is one that no test makes anything in: what is counted there is
	// what is seeded here.
	estateRegion  = "eu-west-1"
	estateProfile = "warroom-lab"

	estateRole    = "lab_app"     // logs in with prod/db/postgres
	estateMonitor = "lab_monitor" // logs in with prod/db/monitoring
)

// stored is what seed made, as far as the config names it.
type stored struct{ key, function string }

// seed makes the roles in PostgreSQL, and the secrets, the key and the rotation
// function in moto.
func (e *estate) seed(ctx context.Context) (stored, error) {
	app, monitor := rand.Text(), rand.Text()
	until := time.Now().Add(30 * 24 * time.Hour).UTC().Format("2006-01-02 15:04:05+00")
	if _, err := e.primary.sql(ctx, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD %s VALID UNTIL %s CONNECTION LIMIT 10;\nCREATE ROLE %s LOGIN PASSWORD %s IN ROLE pg_monitor;\n",
		estateRole, quote(app), quote(until), estateMonitor, quote(monitor))); err != nil {
		return stored{}, err
	}
	a := newMotoAPI(e.moto.endpoint(), estateRegion)
	defer a.rest.close()
	out := stored{key: "alias/lab-secrets", function: "lab-rotate-postgres"}
	var key struct {
		KeyMetadata struct {
			KeyID string `json:"KeyId"`
		} `json:"KeyMetadata"`
	}
	if err := a.target(ctx, "kms", "TrentService.CreateKey", map[string]any{"Description": "the lab's secrets"}, &key); err != nil {
		return stored{}, err
	}
	id := key.KeyMetadata.KeyID
	if err := a.target(ctx, "kms", "TrentService.CreateAlias", map[string]string{"AliasName": out.key, "TargetKeyId": id}, nil); err != nil {
		return stored{}, err
	}
	if err := a.target(ctx, "kms", "TrentService.EnableKeyRotation", map[string]string{"KeyId": id}, nil); err != nil {
		return stored{}, err
	}
	function, err := a.function(ctx, out.function)
	if err != nil {
		return stored{}, err
	}
	login := func(user, password string) map[string]any {
		return map[string]any{"engine": "postgres", "host": "127.0.0.1", "port": e.primary.port, "dbname": "postgres", "username": user, "password": password}
	}
	for _, secret := range []struct {
		name    string
		value   map[string]any
		rotates bool
	}{
		{"prod/db/postgres", login(estateRole, app), true},
		{"prod/db/monitoring", login(estateMonitor, monitor), false},
		{"prod/api/external", map[string]any{"api_key": e.tls.apiKey}, false},
		{"prod/api/payment", map[string]any{"api_key": rand.Text()}, false},
		{"prod/auth/gateway-token", map[string]any{"token": e.tls.token}, false},
	} {
		if err := a.secret(ctx, secret.name, secret.value, id); err != nil {
			return stored{}, err
		}
		if !secret.rotates {
			continue
		}
		if err := a.rotation(ctx, secret.name, function); err != nil {
			return stored{}, err
		}
	}
	for _, call := range []string{"CreateLogGroup", "CreateLogStream"} {
		in := map[string]string{"logGroupName": "/aws/lambda/" + out.function}
		if call == "CreateLogStream" {
			in["logStreamName"] = "lab"
		}
		if err := a.target(ctx, "logs", "Logs_20140328."+call, in, nil); err != nil {
			return stored{}, err
		}
	}
	return out, e.writeHealth("user-service", time.Now())
}

// writeHealth has a service say that it is well, and synced at that time.
func (e *estate) writeHealth(name string, synced time.Time) error {
	text, err := json.Marshal(map[string]any{"status": "ok", "connection": "connected", "retries": 0, "last_sync": synced.UTC().Add(time.Second).Format(time.RFC3339)})
	if err != nil {
		return fmt.Errorf("write the health of %s: %w", name, err)
	}
	return writePrivate(filepath.Join(e.tls.health, name), string(text))
}

// rotation has a secret rotated every 30 days. moto marks it as rotating right
// away, which AWS would not with RotateImmediately false: that mark is removed.
func (a motoAPI) rotation(ctx context.Context, secret, function string) error {
	token := strings.ToLower(rand.Text() + rand.Text())[:36]
	if err := a.target(ctx, "secretsmanager", "secretsmanager.RotateSecret", map[string]any{
		"SecretId": secret, "RotationLambdaARN": function, "RotateImmediately": false,
		"RotationRules": map[string]any{"AutomaticallyAfterDays": 30}, "ClientRequestToken": token,
	}, nil); err != nil {
		return err
	}
	return a.target(ctx, "secretsmanager", "secretsmanager.UpdateSecretVersionStage", map[string]string{
		"SecretId": secret, "VersionStage": "AWSPENDING", "RemoveFromVersionId": token,
	}, nil)
}

// motoAPI makes AWS calls as far as moto checks them: it wants to see a
// signature, and takes the region and the service from it.
type motoAPI struct {
	rest   *rest
	region string
}

func newMotoAPI(endpoint, region string) motoAPI {
	return motoAPI{rest: newREST(endpoint, nil), region: region}
}

func (a motoAPI) as(service string) *rest {
	return a.rest.with("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=lab/20260101/%s/%s/aws4_request, SignedHeaders=host, Signature=00", a.region, service))
}

// target makes a call of the JSON protocol, in which a header names it.
func (a motoAPI) target(ctx context.Context, service, call string, in, out any) error {
	return a.as(service).with("X-Amz-Target", call).call(ctx, http.MethodPost, "/", in, out)
}

func (a motoAPI) secret(ctx context.Context, name string, value map[string]any, key string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("make the secret %s: %w", name, err)
	}
	return a.target(ctx, "secretsmanager", "secretsmanager.CreateSecret", map[string]any{
		"Name": name, "SecretString": string(text), "KmsKeyId": key,
		"Tags": []map[string]string{{"Key": "expires-at", "Value": time.Now().Add(60 * 24 * time.Hour).UTC().Format(time.DateOnly)}},
	}, nil)
}

// function makes a Lambda function, and the role that it runs as; it returns
// its ARN.
func (a motoAPI) function(ctx context.Context, name string) (string, error) {
	form := url.Values{
		"Action": {"CreateRole"}, "Version": {"2010-05-08"}, "RoleName": {name},
		"AssumeRolePolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`},
	}
	status, answer, err := a.as("iam").send(ctx, http.MethodPost, "/", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("make the role %s: %d: %.300s", name, status, answer)
	}
	var code bytes.Buffer
	archive := zip.NewWriter(&code)
	file, err := archive.Create("index.py")
	if err == nil {
		_, err = file.Write([]byte("def handler(event, context):\n    pass\n"))
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return "", fmt.Errorf("pack the function %s: %w", name, err)
	}
	var made struct {
		ARN string `json:"FunctionArn"`
	}
	if err := a.as("lambda").call(ctx, http.MethodPost, "/2015-03-31/functions", map[string]any{
		"FunctionName": name, "Role": "arn:aws:iam::123456789012:role/" + name, "Handler": "index.handler", "Runtime": "python3.12", "Timeout": 30,
		"Code": map[string]string{"ZipFile": base64.StdEncoding.EncodeToString(code.Bytes())},
	}, &made); err != nil {
		return "", err
	}
	return made.ARN, a.as("lambda").call(ctx, http.MethodPost, "/2015-03-31/functions/"+name+"/policy", map[string]string{
		"StatementId": "secretsmanager", "Action": "lambda:InvokeFunction", "Principal": "secretsmanager.amazonaws.com",
	}, nil)
}
