"""Tokens of providers: each format is found where it usually stands; what resembles it stays."""
# ruff: noqa: E501 - tables of examples

import pytest

from daemon.collecting.redaction import find_named
from daemon.collecting.redaction_token_table import NAMED, PREFIXED
from tests.daemon.collecting.secret_making import made

# What each provider gives out, by its public documentation.
FORMATS = [
    ("aws access key", "AKIA{B16}"),
    ("aws access key", "ASIA{B16}"),
    ("aws bedrock key", "ABSK{b128}="),
    ("aws mws key", "amzn.mws.{u}"),
    ("google api key", "AIza{d35}"),
    ("google oauth secret", "GOCSPX-{d28}"),
    ("google oauth token", "ya29.{d140}"),
    ("azure client secret", "{w3}8Q~{w34}"),
    ("azure storage key", "{b86}=="),
    ("alibaba access key", "LTAI{w20}"),
    ("tencent secret id", "AKID{w32}"),
    ("digitalocean token", "dop_v1_{h64}"),
    ("digitalocean token", "doo_v1_{h64}"),
    ("yandex api key", "AQVN{w36}"),
    ("yandex iam token", "t1.{w80}.{w86}"),
    ("ibm cloud key", "ApiKey-{u}"),
    ("scaleway key", "SCW{U17}"),
    ("scalingo token", "tk-us-{d48}"),
    ("fly.io token", "fo1_{d43}"),
    ("fly.io token", "fm2_{b120}"),
    ("heroku key", "HRKU-{u}"),
    ("heroku key", "HRKU-AA{w58}"),
    ("vercel token", "vercel_blob_rw_{w46}"),
    ("netlify token", "nfp_{w36}"),
    ("render key", "rnd_{w28}"),
    ("supabase token", "sbp_{h40}"),
    ("planetscale token", "pscale_tkn_{w43}"),
    ("planetscale token", "pscale_pw_{w43}"),
    ("neon key", "napi_{w64}"),
    ("databricks token", "dapi{h32}"),
    ("clickhouse key", "4b1d{w38}"),
    ("cloudflare origin key", "v1.0-{h24}-{h146}"),
    ("fastly token", "fastly_{w32}"),
    ("github token", "ghp_{w36}"),
    ("github token", "gho_{w36}"),
    ("github token", "ghu_{w36}"),
    ("github token", "ghs_{w36}"),
    ("github token", "ghr_{w76}"),
    ("github token", "github_pat_{w22}_{w59}"),
    ("gitlab token", "glpat-{w20}"),
    ("gitlab token", "gldt-{w20}"),
    ("gitlab token", "glrt-{w20}"),
    ("gitlab token", "glptt-{h40}"),
    ("gitlab token", "glagent-{w50}"),
    ("gitlab runner token", "GR1348941{w20}"),
    ("bitbucket token", "ATBB{w32}"),
    ("atlassian token", "ATATT3{w186}"),
    ("npm token", "npm_{w36}"),
    ("pypi token", "pypi-AgEIcHlwaS5vcmc{d160}"),
    ("rubygems key", "rubygems_{h48}"),
    ("clojars token", "CLOJARS_{l60}"),
    ("nuget key", "oy2{l43}"),
    ("crates.io token", "cio{w32}"),
    ("docker token", "dckr_pat_{w27}"),
    ("jfrog key", "AKCp{w69}"),
    ("sonarqube token", "sqp_{h40}"),
    ("sonarqube token", "squ_{h40}"),
    ("snyk token", "snyk_uat.{h8}.{w60}"),
    ("sourcegraph token", "sgp_{h16}_{h40}"),
    ("octopus key", "API-{U26}"),
    ("readme key", "rdme_{l70}"),
    ("travis token", "travis_{w22}"),
    ("buildkite token", "bkua_{h40}"),
    ("circleci token", "CCIPAT_{w22}_{h40}"),
    ("harness token", "pat.{w22}.{w24}.{w20}"),
    ("terraform token", "{w14}.atlasv1.{w67}"),
    ("pulumi token", "pul-{h40}"),
    ("doppler token", "dp.pt.{w43}"),
    ("infracost key", "ico-{w32}"),
    ("prefect key", "pnu_{l36}"),
    ("vault token", "hvs.{w95}"),
    ("openshift token", "sha256~{w43}"),
    ("defined networking token", "dnkey-{w26}-{w52}"),
    ("tailscale key", "tskey-auth-{w12}-{w32}"),
    ("ngrok key", "ak_2{w26}"),
    ("1password secret key", "A3-{U6}-{U11}-{U5}-{U5}-{U5}"),
    ("1password service token", "ops_eyJ{b260}"),
    ("age secret key", "AGE-SECRET-KEY-1{q58}"),
    ("slack token", "xoxb-{n12}-{n12}-{w24}"),
    ("slack token", "xoxp-{n12}-{n12}-{n12}-{h32}"),
    ("slack token", "xoxe.xoxp-1-{w160}"),
    ("slack app token", "xapp-1-A{U10}-{n13}-{h64}"),
    ("slack webhook", "https://hooks.slack.com/services/T{U8}/B{U10}/{w24}"),
    ("teams webhook", "https://acme.webhook.office.com/webhookb2/{u}@{u}/IncomingWebhook/{h32}/{u}"),
    ("discord webhook", "https://discord.com/api/webhooks/{n18}/{w68}"),
    ("discord token", "M{w23}.{w6}.{w27}"),
    ("telegram bot token", "{n10}:AA{w33}"),
    ("sendgrid key", "SG.{w22}.{w43}"),
    ("mailgun key", "key-{h32}"),
    ("mailgun key", "{h32}-{h8}-{h8}"),
    ("mailchimp key", "{h32}-us12"),
    ("brevo key", "xkeysib-{h64}-{w16}"),
    ("twilio key", "SK{h32}"),
    ("twilio key", "AC{h32}"),
    ("intra42 secret", "s-s4t2ud-{h64}"),
    ("resend key", "re_{w8}_{w24}"),
    ("stripe key", "sk_live_{w24}"),
    ("stripe key", "rk_live_{w24}"),
    ("stripe key", "sk_test_{w99}"),
    ("stripe webhook secret", "whsec_{w32}"),
    ("shopify token", "shpat_{h32}"),
    ("shopify token", "shpss_{h32}"),
    ("square token", "EAAA{w60}"),
    ("square token", "sq0atp-{w22}"),
    ("square token", "sq0csp-{w43}"),
    ("braintree token", "access_token$production${l16}${h32}"),
    ("flutterwave key", "FLWSECK_TEST-{h32}-X"),
    ("gocardless token", "live_{w40}"),
    ("easypost key", "EZAK{w54}"),
    ("duffel token", "duffel_live_{w43}"),
    ("shippo token", "shippo_live_{h40}"),
    ("lob key", "live_{h35}"),
    ("adyen key", "AQE{w4}{b120}"),
    ("razorpay key", "rzp_live_{w14}"),
    ("anthropic key", "sk-ant-api03-{d93}AA"),
    ("openrouter key", "sk-or-v1-{h64}"),
    ("openai key", "sk-{w48}"),
    ("openai key", "sk-proj-{d120}"),
    ("hugging face token", "hf_{w34}"),
    ("replicate token", "r8_{w37}"),
    ("groq key", "gsk_{w52}"),
    ("xai key", "xai-{w80}"),
    ("perplexity key", "pplx-{w48}"),
    ("langchain key", "lsv2_pt_{h32}_{h10}"),
    ("together key", "tgp_v1_{d43}"),
    ("nvidia key", "nvapi-{d64}"),
    ("new relic key", "NRAK-{U27}"),
    ("new relic key", "NRJS-{h19}"),
    ("sentry token", "sntrys_{w120}"),
    ("grafana token", "glsa_{w32}_{h8}"),
    ("grafana token", "glc_{b120}"),
    ("grafana api key", "eyJrIjoi{w80}"),
    ("dynatrace token", "dt0c01.{U24}.{U64}"),
    ("launchdarkly key", "sdk-{u}"),
    ("posthog key", "phx_{w43}"),
    ("honeycomb key", "hcaik_{w58}"),
    ("maxmind key", "{w6}_{w29}_mmk"),
    ("linear key", "lin_api_{w40}"),
    ("notion token", "secret_{w43}"),
    ("notion token", "ntn_{w46}"),
    ("figma token", "figd_{w40}"),
    ("airtable token", "pat{w14}.{h64}"),
    ("asana token", "1/{n16}:{h32}"),
    ("dropbox token", "sl.{w138}"),
    ("postman key", "PMAK-{h24}-{h34}"),
    ("typeform token", "tfp_{w59}"),
    ("frame.io token", "fio-u-{d64}"),
    ("settlemint token", "sm_pat_{w16}"),
    ("adobe client secret", "p8e-{w32}"),
    ("contentful token", "CFPAT-{d43}"),
    ("hubspot token", "pat-na1-{u}"),
    ("mapbox token", "pk.eyJ{w80}.{w22}"),
    ("facebook token", "EAAC{w160}"),
    ("facebook token", "{n15}|{w27}"),
    ("instagram token", "IGQV{w140}"),
    ("twitter bearer", "AAAAAAAAAAAAAAAAAAAAAA{w80}"),
    ("twitch key", "oauth:{l30}"),
    ("okta token", "00{d40}"),
    ("cloudinary url", "cloudinary://{n15}:{w27}@acme"),
    ("json web token", "eyJ{w33}.eyJ{d120}.{d43}"),
    ("json web token", "eyJ{w40}.{w60}.{w16}.{w90}.{w22}"),
    ("kubernetes bootstrap token", "{h6}.{h16}"),
]  # fmt: skip
BY_NAME = [
    ("adafruit", "adafruit_api_key", "{l32}"), ("adobe", "adobe client_id", "{h32}"),
    ("algolia", "ALGOLIA_KEY", "{h32}"), ("asana", "asana_secret", "{h32}"),
    ("aws secret", "aws_secret_access_key", "{w40}"), ("bitbucket", "bitbucket-secret", "{w64}"),
    ("bittrex", "bittrex", "{h32}"), ("cisco meraki", "meraki", "{h40}"),
    ("cloudflare", "CLOUDFLARE_API", "{w40}"), ("codecov", "codecov", "{h32}"),
    ("cohere", "cohere", "{w40}"), ("coinbase", "coinbase", "{w64}"),
    ("confluent", "confluent", "{w64}"), ("contentful", "contentful", "{w43}"),
    ("datadog", "DATADOG", "{h40}"), ("datadog", "dd_api", "{h32}"), ("discord", "discord", "{h64}"),
    ("drone", "drone", "{w32}"), ("etsy", "etsy", "{l24}"), ("facebook", "facebook_app", "{h32}"),
    ("fastly", "fastly", "{w32}"), ("finicity", "finicity", "{h32}"), ("finnhub", "finnhub", "{l20}"),
    ("flickr", "flickr", "{h32}"), ("freshbooks", "freshbooks", "{h64}"), ("github", "github", "{h40}"),
    ("gitter", "gitter", "{d40}"), ("heroku", "HEROKU_API", "{u}"), ("hubspot", "hubspot", "{u}"),
    ("intercom", "intercom", "{w60}"), ("jfrog", "jfrog", "{w73}"), ("kraken", "kraken", "{w80}"),
    ("kucoin", "kucoin", "{h24}"), ("launchdarkly", "launchdarkly", "{w40}"),
    ("linear", "linear", "{h32}"), ("linkedin", "linkedin", "{w16}"), ("looker", "looker", "{w24}"),
    ("mailchimp", "mailchimp", "{h32}"), ("mattermost", "mattermost", "{l26}"),
    ("messagebird", "messagebird", "{l25}"), ("netlify", "netlify", "{w43}"),
    ("nytimes", "nytimes", "{w32}"), ("okta", "okta", "{w42}"), ("plaid", "plaid", "{h30}"),
    ("rapidapi", "rapidapi", "{w50}"), ("sendbird", "sendbird", "{h40}"), ("snyk", "SNYK", "{u}"),
    ("sonar", "sonar", "{h40}"), ("spotify", "spotify", "{h32}"), ("squarespace", "squarespace", "{u}"),
    ("sumologic", "sumologic", "{w64}"), ("travis", "travis", "{w22}"), ("trello", "trello", "{w32}"),
    ("twitch", "twitch", "{l30}"), ("twitter", "twitter", "{w50}"), ("yandex", "yandex", "{w40}"),
    ("zendesk", "zendesk", "{w40}"),
]  # fmt: skip
AROUND = ["{}", "use {} please", '"token": "{}",', "export X={}", "(see {})", "Line one\n{}\nline three",
          "curl -H 'Authorization: Bearer {}' https://api.example.org/v1"]  # fmt: skip


def test_there_are_rules_for_many_providers() -> None:
    assert len({name for name, _ in PREFIXED}) >= 60
    assert len({name for name, _, _ in NAMED}) >= 60


@pytest.mark.parametrize(("rule", "template"), FORMATS)
def test_a_token_is_found_by_its_own_rule(rule: str, template: str) -> None:
    for seed in range(5):
        token = made(template, seed)
        finds = find_named(token)
        assert [(one.start, one.end, one.rule) for one in finds] == [(0, len(token), rule)]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("rule", "template"), FORMATS)
def test_nothing_of_it_is_left_in_the_usual_surroundings(
    rule: str, template: str, around: str
) -> None:
    token = made(template)
    text = around.replace("{}", token)
    covered = {at for one in find_named(text) for at in range(one.start, one.end)}
    begin = text.index(token)
    assert covered >= set(range(begin, begin + len(token)))


@pytest.mark.parametrize(("rule", "template"), FORMATS)
def test_the_name_of_a_token_without_the_token_stays(rule: str, template: str) -> None:
    sign = template.partition("{")[0]
    for text in (sign, f"Tokens that begin with {sign}... are new.", f"see {sign}TOKEN and {sign}"):
        assert not [one for one in find_named(text) if one.kind == "token"]


@pytest.mark.parametrize(("rule", "template"), FORMATS)
def test_an_example_of_one_sign_over_and_over_stays(rule: str, template: str) -> None:
    sign, hole, _ = template.partition("{")
    if len(sign) > 4 or not hole:
        return
    filled = sign + "x" * 40
    assert not [one for one in find_named(filled) if one.rule == rule]


@pytest.mark.parametrize(("name", "word", "template"), BY_NAME)
def test_a_token_without_a_sign_is_known_by_the_name_before_it(
    name: str, word: str, template: str
) -> None:
    for seed in range(3):
        token = made(template, seed)
        for text in (f'{word} = "{token}"', f"{word}: {token}", f"'{word}', '{token}'"):
            assert any(one.end - one.start >= len(token) for one in find_named(text)), text


@pytest.mark.parametrize(("name", "word", "template"), BY_NAME)
def test_the_same_run_without_a_name_stays(name: str, word: str, template: str) -> None:
    token = made(template)
    if not token.isdigit():
        assert not find_named(f"The build of {token} went through on Monday.")


@pytest.mark.parametrize(
    "text",
    [
        "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904 fixes it",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        '"integrity": "sha512-' + "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==" + '"',
        "id 123e4567-e89b-12d3-a456-426614174000 in the log",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "https://example.org/a-very-long-path/with-many-words-in-it/2024/index.html",
        "the-mother-in-law-of-the-bride's-uncle",
        "----------------------------------------",
        "Donaudampfschifffahrtsgesellschaftskapitän",
        "skip_live_reload_when_testing_components",
        "sk-folding-cube-animation-delay",
        "pneumonoultramicroscopicsilicovolcanoconiosis",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "glass-and-steel-architecture-of-1920",
        "xoxo-and-love-from-all-of-us",
    ],
)  # fmt: skip
def test_long_words_and_digests_stay(text: str) -> None:
    assert not find_named(text)
