"""Genesys Cloud's regions, and which one is meant by what people paste."""

import re

# Source: the region hosts of Genesys's own SDK (PureCloudPlatformClientV2 269). By host: the names of AWS and Genesys.
_NAMES = {
    "mypurecloud.com": ("us-east-1", "prod", "use1"),
    "mypurecloud.ie": ("eu-west-1", "prod-euw1", "euw1"),
    "mypurecloud.com.au": ("ap-southeast-2", "prod-apse2", "apse2"),
    "mypurecloud.jp": ("ap-northeast-1", "prod-apne1", "apne1"),
    "mypurecloud.de": ("eu-central-1", "prod-euc1", "euc1"),
    "usw2.pure.cloud": ("us-west-2",),
    "cac1.pure.cloud": ("ca-central-1",),
    "apne2.pure.cloud": ("ap-northeast-2",),
    "euw2.pure.cloud": ("eu-west-2",),
    "aps1.pure.cloud": ("ap-south-1",),
    "sae1.pure.cloud": ("sa-east-1",),
    "mec1.pure.cloud": ("me-central-1",),
    "apne3.pure.cloud": ("ap-northeast-3",),
    "euc2.pure.cloud": ("eu-central-2",),
    "mxc1.pure.cloud": ("mx-central-1",),
    "apse1.pure.cloud": ("ap-southeast-1",),
    "use2.us-gov-pure.cloud": ("us-east-2", "fedramp"),
    "edee1.eusc-pure.cloud": ("eusc-de-east-1",),
}
REGIONS = tuple(_NAMES)
_BY_NAME = {name: region for region, names in _NAMES.items() for name in (region, *names)}
# usw2, euw2, …: the first label of those that have one of their own.
_BY_NAME |= {region.partition(".")[0]: region for region in REGIONS if not region.startswith("mypurecloud")}
_HOSTS = (
    "api.",
    "login.",
    "apps.",
    "directory.",
    "signin.",
    "developer.",
    "api-downloads.",
    "apps-directory.",
    "streaming.",
)


def region_of(text: str) -> str:
    """The region's host that this text means: any case, a URL, a host in the region, or a name of AWS or Genesys.

    What means none comes back as it is, without blanks around it.
    """
    text = text.strip().strip("\"'").strip()
    host = re.sub(r"^[a-z]+://", "", text.lower())
    host = re.split(r"[/?#]", host, maxsplit=1)[0].rpartition("@")[2].partition(":")[0].strip(". ")
    for prefix in _HOSTS:
        host = host.removeprefix(prefix)
    name = re.sub(r"[\s_]+", "-", host)
    return _BY_NAME.get(name) or _BY_NAME.get(name.removeprefix("prod-")) or text
