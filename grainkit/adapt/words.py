"""What adapting did and missed, in the words of somebody who looks at pictures. The exact figures are the sidecar's."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from grainkit.recipe.targets import Proxy, label

if TYPE_CHECKING:
    from grainkit.adapt.bounds import Settings
    from grainkit.adapt.rounds import Miss

#: Whose codec a shipped preset is adapted to; any other recipe's is "the platform's".
_PLATFORMS = {
    "social/facebook": "Facebook", "social/instagram-feed": "Instagram", "social/linkedin": "LinkedIn",
    "social/pinterest": "Pinterest", "social/reel": "Instagram", "social/shorts": "YouTube",
    "social/threads": "Threads", "social/tiktok": "TikTok", "social/x": "X", "social/x-video": "X",
    "social/youtube": "YouTube",
}  # fmt: skip
#: What the codecs are called outside of encoders.
_CODECS = {"jpeg": "JPEG", "x264": "H.264", "x265": "HEVC", "vp9": "VP9", "av1": "AV1"}
_CARRIERS = {
    "animated": "new in every frame", "locked": "moving with the picture (locked)", "metadata": "carried as metadata",
}  # fmt: skip


def encodes(recipe: str, proxies: Sequence[Proxy]) -> str:
    """The encodes that a recipe of that name is adapted to: "Instagram's JPEG", "X's H.264 (600 kb/s, CRF 30)"."""
    codecs = list(dict.fromkeys(proxy.codec for proxy in proxies))
    named = []
    for codec in codecs:
        own = [proxy for proxy in proxies if proxy.codec == codec]
        rates = f" ({', '.join(_rate(proxy) for proxy in own)})" if len(own) > 1 else ""
        named.append(_CODECS[codec] + rates)
    return f"{_platform(recipe)} {_listed(named)}"


def encode(recipe: str, proxy: Proxy, among: Collection[Proxy]) -> str:
    """One of them, told from the others: "Instagram's JPEG", "X's H.264 at 600 kb/s"."""
    twins = [each for each in among if each.codec == proxy.codec]
    rate = f" at {_rate(proxy)}" if len(twins) > 1 else ""
    return f"{_platform(recipe)} {_CODECS[proxy.codec]}{rate}"


def changes(asked: Settings, found: Settings) -> list[str]:
    """What became of the settings, a few words each."""
    told = []
    if found.strength != asked.strength:
        told.append(f"grain {found.strength:.2g} instead of {asked.strength:.2g} codes")
    if found.size != asked.size:
        told.append(f"grain of {found.size:.2g} instead of {asked.size:.2g} px")
    if found.carrier != asked.carrier:
        told.append(f"grain {_CARRIERS[found.carrier]} instead of {_CARRIERS[asked.carrier]}")
    if found.knee != asked.knee:
        told.append(f"highlights rolled off from {100 * found.knee:.0f} instead of {100 * asked.knee:.0f} % of white")
    if found.ceiling != asked.ceiling:
        told.append(f"white at {255 * found.ceiling:.0f} instead of {255 * asked.ceiling:.0f} of 255")
    if found.patches != asked.patches:
        told.append(f"highlights pulled down in {found.patches} {'pass' if found.patches == 1 else 'passes'}")
    return told


def missed_words(miss: Miss, recipe: str, proxies: Collection[Proxy]) -> str:
    """One limit that is not kept, as what will be seen."""
    where = next((encode(recipe, each, proxies) for each in proxies if label(each) == miss.proxy), miss.proxy)
    value, limit = _told_apart(miss.value, miss.limit)
    share, most = _told_apart(100 * miss.value, 100 * miss.limit)
    sentence = {
        "highlights_share": f"{share} % of the highlights will still clip after {where} (limit {most} %)",
        "p999": f"the brightest highlights will reach {value} of 255 after {where} (limit {limit})",
        "hue_degrees": f"the hue of highlights will turn by {value} degrees after {where} (limit {limit})",
        "luma_given_up": f"highlights lose {value} codes of light (limit {limit})",
        "cambi": f"smooth areas will still show bands after {where} (index {value}, limit {limit})",
        "rho": f"{share} % of the grain will be left after {where} (at least {most} % is asked)",
        "dead": f"{share} % of the surface will lose most of its texture after {where} (limit {most} %)",
        "pulse": f"texture will pulse by {share} % from frame to frame after {where} (limit {most} %)",
        "flicker": f"contours will flicker by {value} codes after {where} (limit {limit})",
        "bytes": f"the file at equal quality grows by {share} % (limit {most} %)",
        "bits": f"the clip at equal quality grows by {share} % (limit {most} %)",
    }
    return sentence[miss.target]


def _platform(recipe: str) -> str:
    return f"{_PLATFORMS[recipe]}'s" if recipe in _PLATFORMS else "the platform's"


def _rate(proxy: Proxy) -> str:
    if proxy.codec == "jpeg":
        return f"quality {proxy.quality}"
    return f"{proxy.kbps} kb/s" if proxy.kbps else f"CRF {proxy.crf}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _told_apart(value: float, limit: float) -> tuple[str, str]:
    """Both numbers with as few digits as show that they differ."""
    shown, least = f"{value:.2g}", f"{limit:.3g}"
    for digits in (2, 3, 4, 5):
        shown = f"{value:.{digits}g}"
        if float(shown) != float(least) and (digits > 2 or abs(value) < 100):
            break
    return shown, least
