package deploy

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Bucket is the S3 bucket that holds the functions' code.
const Bucket = "postrider-code"

// Archive packs a `bootstrap` program for Lambda. The key is a hash of the program. So
// unchanged code keeps its address, and an update does not touch its function.
func Archive(bootstrap string) (key string, archive []byte, err error) {
	program, err := os.ReadFile(bootstrap)
	if err != nil {
		return "", nil, fmt.Errorf("package a function: %w", err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	header := &zip.FileHeader{Name: filepath.Base(bootstrap), Method: zip.Store} // not compressed: it stays on this machine
	header.SetMode(0o755)
	w, err := z.CreateHeader(header)
	if err != nil {
		return "", nil, fmt.Errorf("package a function: %w", err)
	}
	if _, err := w.Write(program); err != nil {
		return "", nil, fmt.Errorf("package a function: %w", err)
	}
	if err := z.Close(); err != nil {
		return "", nil, fmt.Errorf("package a function: %w", err)
	}
	sum := sha256.Sum256(program)
	return hex.EncodeToString(sum[:]) + ".zip", b.Bytes(), nil
}

// Upload puts each function's bootstrap into the bucket, and returns the addresses by
// logical id. It does not upload code that is already there.
func Upload(ctx context.Context, cfg aws.Config, bootstraps map[string]string) (map[string]string, error) {
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(Bucket)}); err != nil {
		return nil, fmt.Errorf("create the bucket of code: %w", err)
	}
	addresses := map[string]string{}
	for id, path := range bootstraps {
		key, archive, err := Archive(path)
		if err != nil {
			return nil, err
		}
		addresses[id] = "s3://" + Bucket + "/" + key
		if _, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(Bucket), Key: aws.String(key)}); err == nil {
			continue
		}
		_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(Bucket), Key: aws.String(key), Body: bytes.NewReader(archive)})
		if err != nil {
			return nil, fmt.Errorf("upload the code of %s: %w", id, err)
		}
	}
	return addresses, nil
}
