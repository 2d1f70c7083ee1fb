//go:build integration

package integration_test

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"postrider/localstack/fakeprovider"
)

// putToken writes the sending API's token into the SSM parameter that the senders of
// these tests read, as an operator does once on AWS. Before that, no message is handed
// over.
func putToken(ctx context.Context, cfg aws.Config, parameter string) error {
	_, err := ssm.NewFromConfig(cfg).PutParameter(ctx, &ssm.PutParameterInput{
		Name: &parameter, Value: aws.String(fakeprovider.DefaultToken), Type: types.ParameterTypeSecureString,
	})
	if err != nil {
		return fmt.Errorf("write the sending API's token to the SSM parameter %s: %w", parameter, err)
	}
	return nil
}
