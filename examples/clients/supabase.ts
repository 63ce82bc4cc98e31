declare const supabase: { auth: { getSession(): Promise<{ data: { session: { access_token: string } | null } }> } };

/** The token of Supabase's own session, which its client renews: a session of Turnout as it is. */
export const session = async (): Promise<string | undefined> =>
  (await supabase.auth.getSession()).data.session?.access_token;
