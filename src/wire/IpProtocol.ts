/**
 * Numbers of the protocols inside IP: IPv4's protocol field and IPv6's next header (IANA "Assigned Internet Protocol Numbers").
 */
export const hopByHop = 0
export const icmp = 1
export const igmp = 2
export const tcp = 6
export const udp = 17
export const routing = 43
export const fragment = 44
export const encapsulatingSecurity = 50
export const authentication = 51
export const icmpv6 = 58
export const noNextHeader = 59
export const destinationOptions = 60
